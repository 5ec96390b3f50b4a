package io.github.resilientsession.sample;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.CookieManager;
import java.net.HttpCookie;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * Somebody who visits the shop over HTTP with cookies of their own; redirects are not
 * followed, so that a test sees them.
 */
class Visitor {

	private static final Pattern CSRF_FIELD = Pattern.compile("name=\"_csrf\" value=\"([^\"]+)\"");

	private final CookieManager cookies = new CookieManager();

	private final HttpClient client = HttpClient.newBuilder().cookieHandler(this.cookies).build();

	private final URI shop;

	Visitor(int port) {
		this.shop = URI.create("http://127.0.0.1:" + port);
	}

	HttpResponse<String> get(String path) {
		return send(request(path).header("Accept", "text/html"));
	}

	/**
	 * Submit a form as it was found on a page, with that page's CSRF token.
	 */
	HttpResponse<String> submit(String page, String path, Map<String, String> fields) {
		Matcher token = CSRF_FIELD.matcher(get(page).body());
		if (!token.find()) {
			throw new IllegalStateException("No form on " + page);
		}
		return submitWithoutToken(path + "?_csrf=" + encode(token.group(1)), fields);
	}

	HttpResponse<String> submitWithoutToken(String path, Map<String, String> fields) {
		String body = fields.entrySet()
			.stream()
			.map((field) -> field.getKey() + "=" + encode(field.getValue()))
			.collect(Collectors.joining("&"));
		return send(request(path).header("Accept", "text/html")
			.header("Content-Type", "application/x-www-form-urlencoded")
			.POST(BodyPublishers.ofString(body)));
	}

	HttpResponse<String> login(String username, String password) {
		return submit("/login", "/login", Map.of("username", username, "password", password));
	}

	HttpResponse<String> api(String method, String path) {
		return send(request(path).header("Content-Type", "application/json").method(method, BodyPublishers.noBody()));
	}

	HttpResponse<String> api(String method, String path, String json) {
		return send(
				request(path).header("Content-Type", "application/json").method(method, BodyPublishers.ofString(json)));
	}

	HttpResponse<String> apiLogin(String username, String password) {
		return api("POST", "/api/login", "{\"username\": \"%s\", \"password\": \"%s\"}".formatted(username, password));
	}

	String cookie(String name) {
		return this.cookies.getCookieStore()
			.getCookies()
			.stream()
			.filter((cookie) -> cookie.getName().equals(name))
			.map(HttpCookie::getValue)
			.findFirst()
			.orElse("");
	}

	void presentCookie(String name, String value) {
		HttpCookie cookie = new HttpCookie(name, value);
		cookie.setPath("/");
		// Like the shop's own cookie in all respects, so that one replaces the other.
		cookie.setDomain(this.shop.getHost());
		cookie.setVersion(0);
		this.cookies.getCookieStore().add(this.shop, cookie);
	}

	private HttpRequest.Builder request(String path) {
		return HttpRequest.newBuilder(this.shop.resolve(path));
	}

	private HttpResponse<String> send(HttpRequest.Builder request) {
		try {
			return this.client.send(request.build(), BodyHandlers.ofString());
		}
		catch (IOException ex) {
			throw new UncheckedIOException(ex);
		}
		catch (InterruptedException ex) {
			Thread.currentThread().interrupt();
			throw new IllegalStateException(ex);
		}
	}

	private static String encode(String value) {
		return URLEncoder.encode(value, StandardCharsets.UTF_8);
	}

}

package io.github.resilientsession.drill;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

import org.jspecify.annotations.Nullable;

/**
 * The sample shop over HTTP; a visitor shows a cookie.
 */
final class HttpShop implements Shop {

	private static final Pattern COUNT = Pattern.compile("\"count\":(\\d+)");

	private static final int UNAUTHORIZED = 401;

	/**
	 * More than any store may take together.
	 */
	private static final Duration PATIENCE = Duration.ofSeconds(20);

	private final HttpClient client = HttpClient.newBuilder().connectTimeout(Duration.ofSeconds(5)).build();

	private final URI shop;

	HttpShop(URI shop) {
		this.shop = shop;
	}

	@Override
	public String logIn() {
		HttpResponse<String> response = send("/api/login", "",
				BodyPublishers.ofString("{\"username\": \"anna\", \"password\": \"lasting\"}"));
		return response.headers()
			.allValues("Set-Cookie")
			.stream()
			.filter((cookie) -> cookie.startsWith("SESSION="))
			.map((cookie) -> cookie.replaceFirst(";.*", ""))
			.findFirst()
			.orElseThrow(() -> new IllegalStateException("No session after a login: " + response));
	}

	@Override
	public @Nullable Integer look(String visitor) {
		return count(send("/api/cart", visitor, null));
	}

	@Override
	public @Nullable Integer buy(String visitor) {
		Integer after = count(
				send("/api/cart/items", visitor, BodyPublishers.ofString("{\"productId\": \"mug\", \"quantity\": 1}")));
		return (after != null) ? after - 1 : null;
	}

	@Override
	public void logOut(String visitor) {
		send("/api/logout", visitor, BodyPublishers.noBody());
	}

	private static @Nullable Integer count(HttpResponse<String> response) {
		if (response.statusCode() == UNAUTHORIZED) {
			return null;
		}
		Matcher count = COUNT.matcher(response.body());
		if (!count.find()) {
			throw new IllegalStateException("No cart in " + response.body());
		}
		return Integer.valueOf(count.group(1));
	}

	private HttpResponse<String> send(String path, String cookie, HttpRequest.@Nullable BodyPublisher body) {
		HttpRequest.Builder request = HttpRequest.newBuilder(this.shop.resolve(path))
			.timeout(PATIENCE)
			.header("Content-Type", "application/json");
		if (!cookie.isEmpty()) {
			request.header("Cookie", cookie);
		}
		if (body != null) {
			request.POST(body);
		}
		try {
			HttpResponse<String> response = this.client.send(request.build(), BodyHandlers.ofString());
			if (response.statusCode() >= 400 && response.statusCode() != UNAUTHORIZED) {
				throw new IllegalStateException("The shop answers " + response.statusCode());
			}
			return response;
		}
		catch (IOException ex) {
			throw new UncheckedIOException(ex);
		}
		catch (InterruptedException ex) {
			Thread.currentThread().interrupt();
			throw new IllegalStateException(ex);
		}
	}

}

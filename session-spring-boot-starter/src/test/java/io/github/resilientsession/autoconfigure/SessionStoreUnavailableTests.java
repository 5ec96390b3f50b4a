package io.github.resilientsession.autoconfigure;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.UUID;

import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpSession;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.boot.builder.SpringApplicationBuilder;
import org.springframework.boot.data.jpa.autoconfigure.DataJpaRepositoriesAutoConfiguration;
import org.springframework.boot.hibernate.autoconfigure.HibernateJpaAutoConfiguration;
import org.springframework.boot.web.server.servlet.context.ServletWebServerApplicationContext;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.annotation.Import;
import org.springframework.http.ResponseEntity;
import org.springframework.web.bind.annotation.ExceptionHandler;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RestController;
import org.springframework.web.bind.annotation.RestControllerAdvice;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Tests for what a browser sees over HTTP while both stores are down.
 */
class SessionStoreUnavailableTests {

	private static final HttpClient CLIENT = HttpClient.newHttpClient();

	private static ConfigurableApplicationContext application;

	@BeforeAll
	static void start() {
		application = start(Shop.class);
	}

	@AfterAll
	static void stop() {
		application.close();
	}

	@ParameterizedTest
	@ValueSource(strings = { "text/html", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8" })
	void session_forABrowser_isRefusedWithAPage(String accept) throws Exception {
		HttpResponse<String> response = get(application, "/cart", accept);
		assertRefused(response);
		assertThat(response.headers().firstValue("Content-Type")).hasValue("text/html;charset=UTF-8");
		assertThat(response.body()).contains("This does not log you out");
	}

	@ParameterizedTest
	@ValueSource(strings = { "application/json", "*/*", "application/json, text/html;q=0.5", "not a media type" })
	void session_forAProgram_isRefusedWithJson(String accept) throws Exception {
		HttpResponse<String> response = get(application, "/cart", accept);
		assertRefused(response);
		assertThat(response.headers().firstValue("Content-Type")).hasValue("application/json");
		assertThat(response.body()).contains("\"status\":503").contains("\"retryAfterSeconds\":7");
	}

	@ParameterizedTest
	@ValueSource(strings = { "/cart", "/cart/new", "/cart/wrapped", "/cart/end" })
	void session_howeverItIsUsed_isRefusedDespiteAnExceptionHandler(String path) throws Exception {
		assertRefused(get(application, path, "application/json"));
	}

	@Test
	void exceptionHandler_ofTheApplication_stillHandlesItsOwn() throws Exception {
		HttpResponse<String> response = get(application, "/broken", "application/json");
		assertThat(response.statusCode()).isEqualTo(500);
		assertThat(response.body()).isEqualTo("handled");
	}

	@ParameterizedTest
	@ValueSource(strings = { "/public", "/shop.css" })
	void page_thatDoesNotTouchTheSession_isServedToABrowserWithACookie(String path) throws Exception {
		HttpResponse<String> response = get(application, path, "text/html");
		assertThat(response.statusCode()).isEqualTo(200);
		assertThat(response.body()).contains("green");
		assertThat(response.headers().allValues("Set-Cookie")).isEmpty();
	}

	@Test
	void page_thatDoesNotExist_isNotFound() throws Exception {
		try (ConfigurableApplicationContext plain = start(Plain.class)) {
			HttpResponse<String> response = get(plain, "/nowhere", "text/html");
			assertThat(response.statusCode()).isEqualTo(404);
			assertThat(response.body()).contains("Whitelabel");
			assertThat(response.headers().allValues("Set-Cookie")).isEmpty();
		}
	}

	@Test
	void handler_ofTheApplication_replacesTheAnswer() throws Exception {
		try (ConfigurableApplicationContext own = start(OwnHandler.class)) {
			HttpResponse<String> response = get(own, "/cart", "text/html");
			assertRefused(response);
			assertThat(response.body()).isEqualTo("back soon");
		}
	}

	private static void assertRefused(HttpResponse<String> response) {
		assertThat(response.statusCode()).isEqualTo(503);
		assertThat(response.headers().firstValue("Retry-After")).hasValue("7");
		assertThat(response.headers().firstValue("Cache-Control")).hasValue("no-store");
		assertThat(response.headers().allValues("Set-Cookie")).isEmpty();
	}

	private static HttpResponse<String> get(ConfigurableApplicationContext context, String path, String accept)
			throws IOException, InterruptedException {
		int port = ((ServletWebServerApplicationContext) context).getWebServer().getPort();
		String cookie = Base64.getEncoder()
			.encodeToString(UUID.randomUUID().toString().getBytes(StandardCharsets.US_ASCII));
		return CLIENT.send(HttpRequest.newBuilder(URI.create("http://localhost:" + port + path))
			.header("Accept", accept)
			.header("Cookie", "SESSION=" + cookie)
			.build(), HttpResponse.BodyHandlers.ofString());
	}

	private static ConfigurableApplicationContext start(Class<?> application) {
		return new SpringApplicationBuilder(application).run("--server.port=0",
				"--spring.data.redis.url=redis://" + StarterRunner.unusedAddress(),
				"--spring.datasource.url=jdbc:postgresql://" + StarterRunner.unusedAddress() + "/shop",
				"--resilient-session.retry-after=7s");
	}

	@Configuration(proxyBeanMethods = false)
	@EnableAutoConfiguration(
			exclude = { HibernateJpaAutoConfiguration.class, DataJpaRepositoriesAutoConfiguration.class })
	@Import(Pages.class)
	static class Plain {

	}

	@Configuration(proxyBeanMethods = false)
	@Import({ Plain.class, EverythingHandled.class })
	static class Shop {

	}

	@Configuration(proxyBeanMethods = false)
	@Import(Plain.class)
	static class OwnHandler {

		@Bean
		SessionStoreUnavailableHandler ownHandler() {
			return (request, response, exception) -> response.getWriter().write("back soon");
		}

	}

	@RestController
	static class Pages {

		@GetMapping("/public")
		String open() {
			return "green";
		}

		@GetMapping("/cart")
		String cart(HttpSession session) {
			return "cart of " + session.getId();
		}

		@GetMapping("/cart/new")
		String add(HttpServletRequest request) {
			request.getSession().setAttribute("cart", "3 apples");
			return "added";
		}

		@GetMapping("/cart/wrapped")
		String wrapped(HttpServletRequest request) {
			try {
				return request.getSession().getId();
			}
			catch (RuntimeException ex) {
				throw new IllegalStateException(ex);
			}
		}

		@GetMapping("/cart/end")
		String end(HttpSession session) {
			session.invalidate();
			return "ended";
		}

		@GetMapping("/broken")
		String broken() {
			throw new IllegalStateException("broken");
		}

	}

	@RestControllerAdvice
	static class EverythingHandled {

		@ExceptionHandler(Exception.class)
		ResponseEntity<String> handle(Exception ex) {
			return ResponseEntity.internalServerError().body("handled");
		}

	}

}

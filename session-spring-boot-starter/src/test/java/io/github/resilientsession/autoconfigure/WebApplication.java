package io.github.resilientsession.autoconfigure;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.concurrent.atomic.AtomicInteger;

import io.github.resilientsession.testsupport.RedisServer;
import jakarta.servlet.ServletRequestEvent;
import jakarta.servlet.ServletRequestListener;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpSession;

import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.boot.builder.SpringApplicationBuilder;
import org.springframework.boot.data.jpa.autoconfigure.DataJpaRepositoriesAutoConfiguration;
import org.springframework.boot.hibernate.autoconfigure.HibernateJpaAutoConfiguration;
import org.springframework.boot.web.server.servlet.context.ServletWebServerApplicationContext;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RestController;

import static org.awaitility.Awaitility.await;

/**
 * A small application on a free port that uses sessions, on a database of its own.
 */
final class WebApplication implements AutoCloseable {

	private static final HttpClient CLIENT = HttpClient.newHttpClient();

	private final ConfigurableApplicationContext context;

	private WebApplication(ConfigurableApplicationContext context) {
		this.context = context;
	}

	/**
	 * Start it.
	 * @param more configuration besides, or {@code null}
	 */
	static WebApplication start(RedisServer redis, Class<?> more, String... arguments) {
		Class<?>[] sources = (more != null) ? new Class<?>[] { Pages.class, more } : new Class<?>[] { Pages.class };
		return new WebApplication(new SpringApplicationBuilder(sources)
			.properties("server.port=0", "spring.data.redis.url=" + redis.uri(),
					"spring.datasource.url=" + StarterRunner.memoryDatabase())
			.run(arguments));
	}

	<T> T bean(String name, Class<T> type) {
		return this.context.getBean(name, type);
	}

	/**
	 * Log in.
	 * @return the cookie of the new session
	 */
	String login() throws IOException, InterruptedException {
		return get("/login", "").headers().firstValue("Set-Cookie").orElseThrow();
	}

	/**
	 * Request a page, and wait for the end of the request: its filters may still work
	 * when the response has come.
	 * @param cookie a cookie with or without its attributes
	 */
	HttpResponse<String> get(String path, String cookie) throws IOException, InterruptedException {
		return send(HttpRequest.newBuilder(uri(path)).header("Cookie", cookie.replaceFirst(";.*", "")));
	}

	/**
	 * Send JSON to a page.
	 */
	HttpResponse<String> post(String path, String json) throws IOException, InterruptedException {
		return send(HttpRequest.newBuilder(uri(path))
			.header("Content-Type", "application/json")
			.POST(HttpRequest.BodyPublishers.ofString(json)));
	}

	private HttpResponse<String> send(HttpRequest.Builder request) throws IOException, InterruptedException {
		HttpResponse<String> response = CLIENT.send(request.build(), HttpResponse.BodyHandlers.ofString());
		await().until(this.context.getBean(RunningRequests.class)::areNone);
		return response;
	}

	private URI uri(String path) {
		int port = ((ServletWebServerApplicationContext) this.context).getWebServer().getPort();
		return URI.create("http://localhost:" + port + path);
	}

	@Override
	public void close() {
		this.context.close();
	}

	@Configuration(proxyBeanMethods = false)
	@EnableAutoConfiguration(
			exclude = { HibernateJpaAutoConfiguration.class, DataJpaRepositoriesAutoConfiguration.class })
	static class Pages {

		@Bean
		Controller controller() {
			return new Controller();
		}

		@Bean
		RunningRequests runningRequests() {
			return new RunningRequests();
		}

	}

	/**
	 * Counts the requests that the server has begun and not ended. Safe for use by many
	 * threads.
	 */
	static class RunningRequests implements ServletRequestListener {

		private final AtomicInteger count = new AtomicInteger();

		@Override
		public void requestInitialized(ServletRequestEvent event) {
			this.count.incrementAndGet();
		}

		@Override
		public void requestDestroyed(ServletRequestEvent event) {
			this.count.decrementAndGet();
		}

		boolean areNone() {
			return this.count.get() == 0;
		}

	}

	@RestController
	static class Controller {

		@GetMapping("/login")
		String login(HttpSession session) {
			session.setAttribute("name", "alice");
			return "welcome";
		}

		@GetMapping("/name")
		String name(HttpSession session) {
			return String.valueOf(session.getAttribute("name"));
		}

		@GetMapping("/count")
		String count(HttpSession session) {
			Integer before = (Integer) session.getAttribute("count");
			int count = (before != null) ? before + 1 : 1;
			session.setAttribute("count", count);
			return Integer.toString(count);
		}

		@GetMapping("/rotate")
		String rotate(HttpServletRequest request) {
			return request.changeSessionId();
		}

		@GetMapping("/logout")
		String logout(HttpServletRequest request) {
			HttpSession session = request.getSession(false);
			if (session != null) {
				session.invalidate();
			}
			return "bye";
		}

	}

}

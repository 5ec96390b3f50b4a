package io.github.resilientsession.autoconfigure;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;

import io.github.resilientsession.testsupport.RealServers;
import io.github.resilientsession.testsupport.RedisServer;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpSession;
import jakarta.servlet.http.HttpSessionEvent;
import jakarta.servlet.http.HttpSessionListener;
import org.junit.jupiter.api.Test;

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

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Tests for what an {@link HttpSessionListener} of the application is told.
 */
@RealServers
class HttpSessionListenerTests {

	private static final HttpClient CLIENT = HttpClient.newHttpClient();

	private final RedisServer redis;

	HttpSessionListenerTests(RedisServer redis) {
		this.redis = redis;
	}

	@Test
	@SuppressWarnings("unchecked")
	void listener_isToldOfANewSessionOnce_andNotOfAChangeOfId() throws Exception {
		try (ConfigurableApplicationContext application = start()) {
			Queue<String> told = application.getBean("told", Queue.class);
			String cookie = get(application, "/login", "").headers().firstValue("Set-Cookie").orElseThrow();
			assertThat(told).containsExactly("created for alice");
			assertThat(get(application, "/name", cookie).body()).isEqualTo("alice");
			assertThat(get(application, "/rotate", cookie).headers().firstValue("Set-Cookie")).isPresent();
			assertThat(told).hasSize(1);
		}
	}

	@Test
	@SuppressWarnings("unchecked")
	void listener_isToldOfTheEnd_whileTheAttributesCanBeRead() throws Exception {
		try (ConfigurableApplicationContext application = start()) {
			Queue<String> told = application.getBean("told", Queue.class);
			String cookie = get(application, "/login", "").headers().firstValue("Set-Cookie").orElseThrow();
			HttpResponse<String> logout = get(application, "/logout", cookie);
			assertThat(logout.statusCode()).isEqualTo(200);
			get(application, "/logout", cookie);
			assertThat(told).containsExactly("created for alice", "destroyed for alice");
		}
	}

	private static HttpResponse<String> get(ConfigurableApplicationContext context, String path, String cookie)
			throws IOException, InterruptedException {
		int port = ((ServletWebServerApplicationContext) context).getWebServer().getPort();
		return CLIENT.send(HttpRequest.newBuilder(URI.create("http://localhost:" + port + path))
			.header("Cookie", cookie.replaceFirst(";.*", ""))
			.build(), HttpResponse.BodyHandlers.ofString());
	}

	private ConfigurableApplicationContext start() {
		return new SpringApplicationBuilder(Shop.class).run("--server.port=0",
				"--spring.data.redis.url=" + this.redis.uri(),
				"--spring.datasource.url=" + StarterRunner.memoryDatabase());
	}

	@Configuration(proxyBeanMethods = false)
	@EnableAutoConfiguration(
			exclude = { HibernateJpaAutoConfiguration.class, DataJpaRepositoriesAutoConfiguration.class })
	static class Shop {

		@Bean
		Queue<String> told() {
			return new ConcurrentLinkedQueue<>();
		}

		@Bean
		HttpSessionListener listener(Queue<String> told) {
			return new HttpSessionListener() {

				@Override
				public void sessionCreated(HttpSessionEvent event) {
					told.add("created for " + event.getSession().getAttribute("name"));
					throw new IllegalStateException("A listener that fails");
				}

				@Override
				public void sessionDestroyed(HttpSessionEvent event) {
					told.add("destroyed for " + event.getSession().getAttribute("name"));
					throw new IllegalStateException("A listener that fails");
				}

			};
		}

		@Bean
		Pages pages() {
			return new Pages();
		}

	}

	@RestController
	static class Pages {

		@GetMapping("/login")
		String login(HttpSession session) {
			session.setAttribute("name", "alice");
			return "welcome";
		}

		@GetMapping("/name")
		String name(HttpSession session) {
			return String.valueOf(session.getAttribute("name"));
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

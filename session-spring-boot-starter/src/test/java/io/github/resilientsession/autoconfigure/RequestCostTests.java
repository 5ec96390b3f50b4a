package io.github.resilientsession.autoconfigure;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.List;

import io.github.resilientsession.testsupport.CommandWatch;
import io.github.resilientsession.testsupport.RealServers;
import io.github.resilientsession.testsupport.RedisServer;
import jakarta.servlet.http.HttpSession;
import org.junit.jupiter.api.BeforeEach;
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
import static org.awaitility.Awaitility.await;

/**
 * What an HTTP request with a session costs Redis, counted at the server.
 */
@RealServers
class RequestCostTests {

	private static final HttpClient CLIENT = HttpClient.newHttpClient();

	private final RedisServer redis;

	RequestCostTests(RedisServer redis) {
		this.redis = redis;
	}

	@BeforeEach
	void empty() {
		this.redis.flushAll();
	}

	@Test
	void requestThatReadsItsSession_sendsTwoCommands() throws Exception {
		try (ConfigurableApplicationContext application = start(); CommandWatch commands = this.redis.watchCommands()) {
			String cookie = login(application, "/name");
			commands.take("spring:session:sessions:");
			assertThat(get(application, "/name", cookie).body()).isEqualTo("alice");
			assertThat(commands.take("spring:session:sessions:")).hasSize(2);
		}
	}

	@Test
	void requestThatChangesItsSession_sendsTwoCommands() throws Exception {
		try (ConfigurableApplicationContext application = start(); CommandWatch commands = this.redis.watchCommands()) {
			String cookie = login(application, "/count");
			commands.take("spring:session:sessions:");
			assertThat(get(application, "/count", cookie).body()).isEqualTo("2");
			assertThat(commands.take("spring:session:sessions:")).hasSize(2);
			assertThat(get(application, "/count", cookie).body()).isEqualTo("3");
		}
	}

	@Test
	void plainSpringSession_sendsThreeTimesAsMany() throws Exception {
		try (ConfigurableApplicationContext application = start("--resilient-session.enabled=false");
				CommandWatch commands = this.redis.watchCommands()) {
			String cookie = get(application, "/login", "").headers().firstValue("Set-Cookie").orElseThrow();
			commands.take("spring:session:sessions:");
			assertThat(get(application, "/name", cookie).body()).isEqualTo("alice");
			List<String> sent = commands.take("spring:session:sessions:");
			assertThat(sent).hasSizeGreaterThanOrEqualTo(6);
		}
	}

	/**
	 * Log in, and make one request after the session is in Redis and the background has
	 * compared both stores: now Redis knows the scripts, too.
	 */
	private String login(ConfigurableApplicationContext application, String path) throws Exception {
		String cookie = get(application, "/login", "").headers().firstValue("Set-Cookie").orElseThrow();
		await().atMost(Duration.ofSeconds(30))
			.until(() -> get(application, "/login", cookie).statusCode() == 200
					&& !this.redis.keys("spring:session:sessions:*").isEmpty() && isCompared());
		get(application, path, cookie);
		return cookie;
	}

	private boolean isCompared() {
		return this.redis.<Boolean>call((commands) -> commands.hexists("spring:session:agreed", "incarnation")
				&& !commands.hexists("spring:session:agreed", "refill"));
	}

	private static HttpResponse<String> get(ConfigurableApplicationContext context, String path, String cookie)
			throws IOException, InterruptedException {
		int port = ((ServletWebServerApplicationContext) context).getWebServer().getPort();
		return CLIENT.send(HttpRequest.newBuilder(URI.create("http://localhost:" + port + path))
			.header("Cookie", cookie.replaceFirst(";.*", ""))
			.build(), HttpResponse.BodyHandlers.ofString());
	}

	private ConfigurableApplicationContext start(String... arguments) {
		return new SpringApplicationBuilder(Shop.class)
			.properties("server.port=0", "spring.data.redis.url=" + this.redis.uri(),
					"spring.datasource.url=" + StarterRunner.memoryDatabase())
			.run(arguments);
	}

	@Configuration(proxyBeanMethods = false)
	@EnableAutoConfiguration(
			exclude = { HibernateJpaAutoConfiguration.class, DataJpaRepositoriesAutoConfiguration.class })
	static class Shop {

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

		@GetMapping("/count")
		String count(HttpSession session) {
			Integer before = (Integer) session.getAttribute("count");
			int count = (before != null) ? before + 1 : 1;
			session.setAttribute("count", count);
			return Integer.toString(count);
		}

	}

}

package io.github.resilientsession.autoconfigure;

import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

import io.github.resilientsession.testsupport.RealServers;
import io.github.resilientsession.testsupport.RedisServer;
import jakarta.servlet.http.HttpSession;
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
 * An application is stopped while it serves requests.
 */
@RealServers
class GracefulShutdownTests {

	private static final HttpClient CLIENT = HttpClient.newHttpClient();

	private final String database = StarterRunner.memoryDatabase();

	private final RedisServer redis;

	GracefulShutdownTests(RedisServer redis) {
		this.redis = redis;
	}

	@Test
	void requestThatIsBeingServed_isServedToItsEnd_andItsSessionIsStored() throws Exception {
		ConfigurableApplicationContext application = start();
		Pages pages = application.getBean(Pages.class);
		int port = port(application);
		CompletableFuture<HttpResponse<String>> answer = get(port, "/slow", "");
		assertThat(pages.begun.await(10, TimeUnit.SECONDS)).isTrue();
		CompletableFuture<Void> closed = CompletableFuture.runAsync(application::close);
		// The server stops before the stores do: it refuses, and the request goes on.
		await().atMost(Duration.ofSeconds(10))
			.until(() -> get(port, "/fast", "").handle((ok, ex) -> ex != null).join());
		assertThat(closed).isNotDone();
		pages.goOn.countDown();
		HttpResponse<String> response = answer.get(10, TimeUnit.SECONDS);
		assertThat(response.statusCode()).isEqualTo(200);
		closed.get(30, TimeUnit.SECONDS);
		this.redis.flushAll();
		try (ConfigurableApplicationContext next = start()) {
			String cookie = response.headers().firstValue("Set-Cookie").orElseThrow();
			assertThat(get(port(next), "/fast", cookie).join().body()).isEqualTo("slow");
		}
	}

	private static int port(ConfigurableApplicationContext application) {
		return ((ServletWebServerApplicationContext) application).getWebServer().getPort();
	}

	private static CompletableFuture<HttpResponse<String>> get(int port, String path, String cookie) {
		return CLIENT.sendAsync(HttpRequest.newBuilder(URI.create("http://localhost:" + port + path))
			.header("Cookie", cookie.replaceFirst(";.*", ""))
			.build(), HttpResponse.BodyHandlers.ofString());
	}

	private ConfigurableApplicationContext start() {
		return new SpringApplicationBuilder(Slow.class).run("--server.port=0", "--server.shutdown=graceful",
				"--spring.data.redis.url=" + this.redis.uri(), "--spring.datasource.url=" + this.database);
	}

	@Configuration(proxyBeanMethods = false)
	@EnableAutoConfiguration(
			exclude = { HibernateJpaAutoConfiguration.class, DataJpaRepositoriesAutoConfiguration.class })
	static class Slow {

		@Bean
		Pages pages() {
			return new Pages();
		}

	}

	@RestController
	static class Pages {

		final CountDownLatch begun = new CountDownLatch(1);

		final CountDownLatch goOn = new CountDownLatch(1);

		@GetMapping("/slow")
		String slow(HttpSession session) throws InterruptedException {
			this.begun.countDown();
			session.setAttribute("name", "slow");
			return this.goOn.await(20, TimeUnit.SECONDS) ? "done" : "gave up";
		}

		@GetMapping("/fast")
		String fast(HttpSession session) {
			return String.valueOf(session.getAttribute("name"));
		}

	}

}

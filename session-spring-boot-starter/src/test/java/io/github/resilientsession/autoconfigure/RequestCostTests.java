package io.github.resilientsession.autoconfigure;

import java.time.Duration;
import java.util.List;

import io.github.resilientsession.testsupport.CommandWatch;
import io.github.resilientsession.testsupport.RealServers;
import io.github.resilientsession.testsupport.RedisServer;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

/**
 * What an HTTP request with a session costs Redis, counted at the server.
 */
@RealServers
class RequestCostTests {

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
		try (WebApplication application = WebApplication.start(this.redis, null);
				CommandWatch commands = this.redis.watchCommands()) {
			String cookie = login(application, "/name");
			commands.take("spring:session:sessions:");
			assertThat(application.get("/name", cookie).body()).isEqualTo("alice");
			assertThat(commands.take("spring:session:sessions:")).hasSize(2);
		}
	}

	@Test
	void requestThatChangesItsSession_sendsTwoCommands() throws Exception {
		try (WebApplication application = WebApplication.start(this.redis, null);
				CommandWatch commands = this.redis.watchCommands()) {
			String cookie = login(application, "/count");
			commands.take("spring:session:sessions:");
			assertThat(application.get("/count", cookie).body()).isEqualTo("2");
			assertThat(commands.take("spring:session:sessions:")).hasSize(2);
			assertThat(application.get("/count", cookie).body()).isEqualTo("3");
		}
	}

	@Test
	void plainSpringSession_sendsThreeTimesAsMany() throws Exception {
		try (WebApplication application = WebApplication.start(this.redis, null, "--resilient-session.enabled=false");
				CommandWatch commands = this.redis.watchCommands()) {
			String cookie = application.login();
			commands.take("spring:session:sessions:");
			assertThat(application.get("/name", cookie).body()).isEqualTo("alice");
			List<String> sent = commands.take("spring:session:sessions:");
			assertThat(sent).hasSizeGreaterThanOrEqualTo(6);
		}
	}

	/**
	 * Log in, and make one request after the session is in Redis and the background has
	 * compared both stores: now Redis knows the scripts, too.
	 */
	private String login(WebApplication application, String path) throws Exception {
		String cookie = application.login();
		await().atMost(Duration.ofSeconds(30))
			.until(() -> application.get("/login", cookie).statusCode() == 200
					&& !this.redis.keys("spring:session:sessions:*").isEmpty() && isCompared());
		application.get(path, cookie);
		return cookie;
	}

	private boolean isCompared() {
		return this.redis.<Boolean>call((commands) -> commands.hexists("spring:session:agreed", "incarnation")
				&& !commands.hexists("spring:session:agreed", "refill"));
	}

}

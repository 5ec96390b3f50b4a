package io.github.resilientsession.sample;

import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

import javax.sql.DataSource;

import io.github.resilientsession.testsupport.RedisServer;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.extension.ExtendWith;

import org.springframework.boot.SpringApplication;
import org.springframework.boot.test.system.CapturedOutput;
import org.springframework.boot.test.system.OutputCaptureExtension;
import org.springframework.boot.web.server.servlet.context.ServletWebServerApplicationContext;
import org.springframework.context.ConfigurableApplicationContext;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

/**
 * What a customer of the shop notices, over HTTP, while the real Redis and the real
 * database fail.
 */
@ExtendWith(OutputCaptureExtension.class)
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
abstract class SurvivalTests {

	/**
	 * The limits of a request that reads and writes its session: Redis twice 250 ms, the
	 * database 3 s to load and 2 s to save. It would be a failure to come near them more
	 * than once.
	 */
	private static final Duration LIMIT = Duration.ofMillis(2 * 250 + 3_000 + 2_000);

	protected final RedisServer redis = RedisServer.start();

	private ConfigurableApplicationContext shop;

	protected Visitor anna;

	protected abstract List<String> databaseArguments();

	@BeforeAll
	void open() {
		List<String> args = new ArrayList<>(List.of("--server.port=0", "--spring.profiles.active=postgres",
				"--spring.data.redis.host=" + this.redis.host(), "--spring.data.redis.port=" + this.redis.port()));
		args.addAll(databaseArguments());
		this.shop = SpringApplication.run(ShopApplication.class, args.toArray(String[]::new));
	}

	@AfterAll
	void close() {
		this.shop.close();
		this.redis.close();
	}

	@BeforeEach
	void logInAndFillTheCart() {
		this.anna = visitor();
		assertThat(this.anna.apiLogin("anna", "lasting").statusCode()).isEqualTo(200);
		add(this.anna, 1);
		await().untilAsserted(() -> assertThat(this.redis.pttl(key(this.anna))).isPositive());
	}

	@AfterEach
	void checkKeysAndLog(CapturedOutput output) {
		if (this.redis.isRunning()) {
			assertThat(this.redis.keysWithoutTtl("spring:session")).isEmpty();
		}
		else {
			this.redis.restartEmpty();
		}
		String id = id(this.anna);
		if (!id.isEmpty()) {
			assertThat(output.getAll()).doesNotContain(id);
		}
	}

	@Test
	void flushAll_keepsSessionAndCart_andTheCopyIsBackWithATtl() {
		String cookie = this.anna.cookie("SESSION");
		this.redis.flushAll();
		assertCart(this.anna, 1);
		assertThat(this.anna.cookie("SESSION")).isEqualTo(cookie);
		await().untilAsserted(
				() -> assertThat(this.redis.pttl(key(this.anna))).isBetween(1L, Duration.ofMinutes(30).toMillis()));
	}

	@Test
	void redisKilled_isServedOn_writesIncluded_andRedisBackEmptyIsRebuilt() {
		Visitor leaving = loggedIn("ben");
		this.redis.kill();
		for (int i = 2; i <= 10; i++) {
			add(this.anna, 1);
			assertCart(this.anna, i);
		}
		Visitor arriving = loggedIn("chris");
		add(arriving, 3);
		String ended = leaving.cookie("SESSION");
		assertThat(leaving.api("POST", "/api/logout").statusCode()).isEqualTo(204);
		this.redis.restartEmpty();
		await().untilAsserted(() -> {
			assertCart(this.anna, 10);
			assertThat(this.redis.pttl(key(this.anna))).isPositive();
		});
		assertCart(arriving, 3);
		leaving.presentCookie("SESSION", ended);
		assertThat(leaving.api("GET", "/api/cart").statusCode()).isEqualTo(401);
	}

	@Test
	void redisHung_everyRequestIsAnsweredWithinTheLimit_andNoOldCartIsSeenAfterwards() throws Exception {
		List<Visitor> visitors = new ArrayList<>();
		for (int i = 0; i < 8; i++) {
			visitors.add(loggedIn("ben"));
		}
		this.redis.pause();
		ExecutorService threads = Executors.newFixedThreadPool(visitors.size());
		try {
			List<Future<Duration>> slowest = new ArrayList<>();
			for (Visitor visitor : visitors) {
				slowest.add(threads.submit(() -> {
					Duration most = Duration.ZERO;
					for (int i = 1; i <= 10; i++) {
						long start = System.nanoTime();
						add(visitor, 1);
						Duration took = Duration.ofNanos(System.nanoTime() - start);
						most = (took.compareTo(most) > 0) ? took : most;
					}
					return most;
				}));
			}
			for (Future<Duration> most : slowest) {
				assertThat(most.get()).isLessThan(LIMIT);
			}
		}
		finally {
			threads.shutdownNow();
			this.redis.resume();
		}
		for (int i = 0; i < 50; i++) {
			visitors.forEach((visitor) -> assertCart(visitor, 10));
		}
	}

	@Test
	void redisBackWithOldData_afterWritesThatItMissed_showsNoneOfIt() {
		Visitor leaving = loggedIn("ben");
		String ended = leaving.cookie("SESSION");
		Path old = this.redis.snapshot();
		this.redis.kill();
		add(this.anna, 4);
		leaving.api("POST", "/api/logout");
		leaving.presentCookie("SESSION", ended);
		this.redis.restartFrom(old);
		for (int i = 0; i < 50; i++) {
			assertCart(this.anna, 5);
			assertThat(leaving.api("GET", "/api/cart").statusCode()).isEqualTo(401);
		}
	}

	@Test
	void redisFull_cartsAreKept() {
		this.redis.configSet("maxmemory", "1");
		try {
			add(this.anna, 1);
			assertCart(this.anna, 2);
			Visitor arriving = loggedIn("ben");
			add(arriving, 2);
			assertCart(arriving, 2);
			assertThat(arriving.api("POST", "/api/logout").statusCode()).isEqualTo(204);
			assertThat(arriving.api("GET", "/api/cart").statusCode()).isEqualTo(401);
		}
		finally {
			this.redis.configSet("maxmemory", "0");
		}
		await().untilAsserted(() -> {
			assertCart(this.anna, 2);
			assertThat(this.redis.pttl(key(this.anna))).isPositive();
		});
	}

	@Test
	void copyThatIsNone_isReplaced() {
		this.redis.call((commands) -> commands.hdel(key(this.anna), "creationTime"));
		assertCart(this.anna, 1);
		this.redis.call((commands) -> commands.setex(key(this.anna), 100, "foreign"));
		assertCart(this.anna, 1);
		add(this.anna, 1);
		assertCart(this.anna, 2);
	}

	@Test
	void rowThatIsCorrupt_isALoginAgain_andNoLoopOfErrors() throws SQLException {
		try (Connection connection = this.shop.getBean(DataSource.class).getConnection();
				PreparedStatement update = connection
					.prepareStatement("update resilient_session set attributes = ? where session_id = ?")) {
			update.setBytes(1, "nonsense".getBytes(StandardCharsets.UTF_8));
			update.setString(2, id(this.anna));
			assertThat(update.executeUpdate()).isEqualTo(1);
		}
		this.redis.flushAll();
		for (int i = 0; i < 3; i++) {
			assertThat(this.anna.api("GET", "/api/cart").statusCode()).isEqualTo(401);
		}
		assertThat(this.anna.apiLogin("anna", "lasting").statusCode()).isEqualTo(200);
		assertCart(this.anna, 0);
	}

	protected final Visitor visitor() {
		return new Visitor(((ServletWebServerApplicationContext) this.shop).getWebServer().getPort());
	}

	protected final Visitor loggedIn(String name) {
		Visitor visitor = visitor();
		assertThat(visitor.apiLogin(name, "lasting").statusCode()).isEqualTo(200);
		return visitor;
	}

	protected static void add(Visitor visitor, int quantity) {
		HttpResponse<String> response = visitor.api("POST", "/api/cart/items",
				"{\"productId\": \"mug\", \"quantity\": " + quantity + "}");
		assertThat(response.statusCode()).as(response.body()).isEqualTo(200);
	}

	protected static void assertCart(Visitor visitor, int count) {
		HttpResponse<String> response = visitor.api("GET", "/api/cart");
		assertThat(response.statusCode()).as(response.body()).isEqualTo(200);
		assertThat(response.body()).contains("\"count\":" + count);
	}

	private static String id(Visitor visitor) {
		return new String(Base64.getDecoder().decode(visitor.cookie("SESSION")), StandardCharsets.UTF_8);
	}

	protected static String key(Visitor visitor) {
		return "spring:session:sessions:" + id(visitor);
	}

}

package io.github.resilientsession.sample;

import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import java.util.function.Supplier;

import javax.sql.DataSource;

import io.github.resilientsession.ResilientSessions;
import io.github.resilientsession.autoconfigure.ResilientSessionProperties;
import io.github.resilientsession.testsupport.RedisServer;
import org.awaitility.Awaitility;
import org.awaitility.core.ConditionFactory;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;

import org.springframework.boot.SpringApplication;
import org.springframework.boot.test.system.CapturedOutput;
import org.springframework.boot.test.system.OutputCaptureExtension;
import org.springframework.boot.web.server.servlet.context.ServletWebServerApplicationContext;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.jdbc.core.JdbcTemplate;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * A running shop whose Redis may fail, for tests. One shop runs through all tests of a
 * class, so whatever fails must heal without a restart.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
@ExtendWith(OutputCaptureExtension.class)
@Timeout(120)
abstract class FailingStores {

	private static final String COPIES = "spring:session:sessions:";

	private static final Duration SESSION_TIMEOUT = Duration.ofMinutes(30);

	final RedisServer redis = RedisServer.start();

	private final Set<String> sessionIds = new HashSet<>();

	private ConfigurableApplicationContext shop;

	private JdbcTemplate jdbc;

	/**
	 * Where the durable store is.
	 * @return properties of the data source, as command-line arguments
	 */
	abstract List<String> database();

	/**
	 * Stop what {@link #database()} started; the shop has gone by then.
	 */
	void stopDatabase() {
	}

	@BeforeAll
	void startShop() {
		List<String> arguments = new ArrayList<>(database());
		arguments.addAll(List.of("--server.port=0", "--shop.embedded-servers=false",
				"--spring.data.redis.host=" + this.redis.host(), "--spring.data.redis.port=" + this.redis.port(),
				// All that could give away a session id.
				"--logging.level.io.github.resilientsession=trace"));
		this.shop = SpringApplication.run(ShopApplication.class, arguments.toArray(String[]::new));
		this.jdbc = new JdbcTemplate(this.shop.getBean(DataSource.class));
	}

	@AfterAll
	void stopShop() {
		this.shop.close();
		this.redis.close();
		stopDatabase();
	}

	@BeforeEach
	void startHealthy() {
		if (!this.redis.isRunning()) {
			this.redis.restartEmpty();
		}
		this.redis.resume();
		this.redis.configSet("maxmemory", "0");
		this.redis.flushAll();
		awaitHealth();
	}

	@AfterEach
	void noCopyLivesForeverAndNoSessionIdIsLogged(CapturedOutput output) {
		assertThat(this.redis.isRunning()).as("a test that kills Redis has to start it again").isTrue();
		this.redis.resume();
		assertThat(this.redis.keysWithoutTtl("spring:session")).isEmpty();
		assertThat(this.sessionIds).isNotEmpty();
		String log = output.getAll();
		assertThat(this.sessionIds.stream().filter(log::contains)).isEmpty();
	}

	static ConditionFactory await() {
		return Awaitility.await().atMost(Duration.ofSeconds(30));
	}

	final Visitor newVisitor() {
		return new Visitor(((ServletWebServerApplicationContext) this.shop).getWebServer().getPort());
	}

	final Visitor loggedIn(String name) {
		Visitor visitor = newVisitor();
		remember(visitor.apiLogin(name, "lasting"), visitor);
		return visitor;
	}

	final void remember(HttpResponse<String> login, Visitor visitor) {
		assertThat(login.statusCode()).isEqualTo(200);
		this.sessionIds.add(id(visitor));
	}

	/**
	 * Log somebody out.
	 * @return the cookie that was theirs
	 */
	static String logOut(Visitor visitor) {
		String cookie = visitor.cookie("SESSION");
		assertThat(visitor.api("POST", "/api/logout").statusCode()).isEqualTo(204);
		return cookie;
	}

	final void assertLoggedOut(String cookie) {
		Visitor thief = newVisitor();
		thief.presentCookie("SESSION", cookie);
		assertThat(thief.api("GET", "/api/me").statusCode()).isEqualTo(401);
	}

	static int add(Visitor visitor) {
		return count(visitor.api("POST", "/api/cart/items", "{\"productId\": \"mug\", \"quantity\": 1}"));
	}

	static int count(Visitor visitor) {
		return count(visitor.api("GET", "/api/cart"));
	}

	static int count(HttpResponse<String> cart) {
		assertThat(cart.statusCode()).as(cart.body()).isEqualTo(200);
		return Integer.parseInt(cart.body().replaceFirst(".*\"count\":(\\d+).*", "$1"));
	}

	/**
	 * Both tiers are trusted, and Redis knows all that it missed.
	 */
	private boolean isHealthy() {
		ResilientSessions sessions = this.shop.getBean(ResilientSessions.class);
		return !sessions.redisCircuit().isOpen() && !sessions.durableCircuit().isOpen() && this.jdbc
			.queryForObject("select count(*) from resilient_session where redis_pending", Long.class) == 0;
	}

	/**
	 * How long any request may take, however the stores fail.
	 */
	final Duration limit() {
		return this.shop.getBean(ResilientSessionProperties.class).load().timeLimit();
	}

	/**
	 * Do something, which must not take longer than the limit.
	 */
	final <T> T inTime(Supplier<T> request) {
		long start = System.nanoTime();
		T response = request.get();
		assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(limit());
		return response;
	}

	/**
	 * The stores are up again; the shop finds out by itself, also about its database.
	 */
	final void awaitHealth() {
		// Nobody has this session, and only the database can say so.
		String cookie = Base64.getEncoder()
			.encodeToString(UUID.randomUUID().toString().getBytes(StandardCharsets.UTF_8));
		await().ignoreExceptions().untilAsserted(() -> {
			assertThat(isHealthy()).isTrue();
			assertLoggedOut(cookie);
		});
	}

	/**
	 * Check again and again until all is healthy; a failed check ends the wait.
	 */
	final void awaitHealthWhile(Runnable check) {
		await().until(() -> {
			check.run();
			return isHealthy();
		});
		check.run();
	}

	final void awaitCopy(Visitor visitor) {
		await().untilAsserted(() -> assertThat(this.redis.pttl(copyOf(visitor))).isPositive()
			.isLessThanOrEqualTo(SESSION_TIMEOUT.toMillis()));
	}

	/**
	 * Nobody but Redis could answer while the row cannot be read.
	 */
	final void assertServedFromRedis(Visitor visitor) {
		int count = count(visitor);
		byte[] row = this.jdbc.queryForObject("select attributes from resilient_session where session_id = ?",
				byte[].class, id(visitor));
		corruptRow(visitor);
		try {
			assertThat(count(visitor)).isEqualTo(count);
		}
		finally {
			setAttributes(visitor, row);
		}
	}

	final void corruptRow(Visitor visitor) {
		setAttributes(visitor, "no payload".getBytes(StandardCharsets.UTF_8));
	}

	private void setAttributes(Visitor visitor, byte[] payload) {
		assertThat(this.jdbc.update("update resilient_session set attributes = ? where session_id = ?", payload,
				id(visitor)))
			.isEqualTo(1);
	}

	static String copyOf(Visitor visitor) {
		return COPIES + id(visitor);
	}

	private static String id(Visitor visitor) {
		return new String(Base64.getDecoder().decode(visitor.cookie("SESSION")), StandardCharsets.UTF_8);
	}

}

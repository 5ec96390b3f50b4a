package io.github.resilientsession;

import java.time.Clock;
import java.time.Duration;
import java.time.Instant;

import io.github.resilientsession.testsupport.PostgresServer;
import io.github.resilientsession.testsupport.RealServers;
import io.github.resilientsession.testsupport.RedisServer;
import io.github.resilientsession.testsupport.Wire;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

/**
 * Nodes whose clocks are a minute off, with sessions that live for much less than that: a
 * node that took its own clock for the time would end them early.
 */
@RealServers
class ClockSkewTests {

	private static final Duration INTERVAL = Duration.ofSeconds(20);

	private final RedisServer redis;

	private final Wire databaseOfSkewed;

	private final String url;

	private SessionNode node;

	ClockSkewTests(RedisServer redis, PostgresServer postgres) {
		this.redis = redis;
		this.url = postgres.createDatabase();
		this.databaseOfSkewed = Wire.to(postgres.host(), postgres.port());
	}

	@BeforeEach
	void start() {
		this.node = start(SessionNode.on(this.redis, this.url));
	}

	@AfterEach
	void stop() {
		this.node.close();
		this.databaseOfSkewed.close();
	}

	@ParameterizedTest
	@ValueSource(ints = { -60, 60 })
	void skewedNode_readsWritesAndTouches_whatOthersHaveCreated(int seconds) {
		String id = this.node.create("a", "0");
		Clock clock = skewed(seconds);
		try (SessionNode skewed = start(SessionNode.on(this.redis, this.url).clock(clock))) {
			assertThat(skewed.get(id, "a")).isEqualTo("0");
			skewed.set(id, "a", "1");
			isAlive(this.node, id, "1");
			touch(skewed, clock, id);
			isAlive(this.node, id, "1");
			this.redis.flushAll();
			assertThat(skewed.get(id, "a")).isEqualTo("1");
			this.redis.flushAll();
			isAlive(this.node, id, "1");
		}
	}

	@ParameterizedTest
	@ValueSource(ints = { -60, 60 })
	void sessionOfASkewedNode_isAliveEverywhere(int seconds) {
		try (SessionNode skewed = start(SessionNode.on(this.redis, this.url).clock(skewed(seconds)))) {
			String id = skewed.create("a", "0");
			isAlive(this.node, id, "0");
			isAlive(skewed, id, "0");
			this.redis.flushAll();
			isAlive(this.node, id, "0");
			this.redis.flushAll();
			isAlive(skewed, id, "0");
			String newId = changeId(skewed, id);
			isAlive(this.node, newId, "0");
			assertThat(this.node.repository.findById(id)).isNull();
		}
	}

	@ParameterizedTest
	@ValueSource(ints = { -60, 60 })
	void skewedNodeThatHasNeverSeenTheDatabase_isRightByTheClockOfRedis(int seconds) {
		String id = this.node.create("a", "0");
		Clock clock = skewed(seconds);
		this.databaseOfSkewed.cut();
		try (SessionNode skewed = start(
				SessionNode.on(this.redis, this.url).database(this.databaseOfSkewed).clock(clock))) {
			trusted(skewed);
			isAlive(skewed, id, "0");
			touch(skewed, clock, id);
			isAlive(this.node, id, "0");
			skewed.set(id, "a", "1");
			isAlive(this.node, id, "1");
			String created = skewed.create("a", "2");
			isAlive(skewed, created, "2");
			isAlive(this.node, created, "2");
			this.databaseOfSkewed.heal();
			await().atMost(Duration.ofSeconds(10))
				.until(() -> !skewed.durableIsCutOff() && skewed.unpersisted().isEmpty());
			this.redis.flushAll();
			isAlive(skewed, id, "1");
			isAlive(this.node, created, "2");
		}
	}

	@Test
	void lastAccess_neverMovesBackwards_whicheverNodeWasLast() {
		String id = this.node.create("a", "0");
		Clock ahead = skewed(60);
		Clock behind = skewed(-60);
		try (SessionNode fast = start(SessionNode.on(this.redis, this.url).clock(ahead));
				SessionNode slow = start(SessionNode.on(this.redis, this.url).clock(behind))) {
			Instant last = this.node.find(id).getLastAccessedTime();
			for (int i = 0; i < 10; i++) {
				SessionNode some = (i % 2 == 0) ? fast : slow;
				Clock clock = (i % 2 == 0) ? ahead : behind;
				touch(some, clock, id);
				some.set(id, "a", Integer.toString(i));
				Instant now = this.node.find(id).getLastAccessedTime();
				// The nodes' clocks agree to within the tolerance only.
				assertThat(now).isAfterOrEqualTo(last).isBefore(Instant.now().plusSeconds(3));
				last = now;
			}
			this.redis.flushAll();
			assertThat(slow.find(id).getLastAccessedTime()).isAfterOrEqualTo(last.minusSeconds(1))
				.isBefore(Instant.now().plusSeconds(3));
		}
	}

	private static Clock skewed(int seconds) {
		return Clock.offset(Clock.systemUTC(), Duration.ofSeconds(seconds));
	}

	private static SessionNode start(SessionNode.Options options) {
		SessionNode started = options.start();
		started.repository.setDefaultMaxInactiveInterval(INTERVAL);
		return started;
	}

	private void isAlive(SessionNode some, String id, String value) {
		assertThat(some.get(id, "a")).isEqualTo(value);
		assertThat(some.find(id).isExpired()).isFalse();
		assertThat(this.redis.pttl("spring:session:sessions:" + id)).isLessThanOrEqualTo(INTERVAL.toMillis());
	}

	private static void touch(SessionNode some, Clock clock, String id) {
		ResilientSession session = some.find(id);
		session.setLastAccessedTime(clock.instant());
		some.repository.save(session);
	}

	private static String changeId(SessionNode some, String id) {
		ResilientSession session = some.find(id);
		String newId = session.changeSessionId();
		some.repository.save(session);
		return newId;
	}

	private static void trusted(SessionNode some) {
		await().atMost(Duration.ofSeconds(10)).until(some::trustsRedis);
	}

}

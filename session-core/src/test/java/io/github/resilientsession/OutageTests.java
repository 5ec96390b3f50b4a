package io.github.resilientsession;

import java.nio.file.Path;
import java.time.Duration;
import java.util.UUID;

import io.github.resilientsession.testsupport.PostgresServer;
import io.github.resilientsession.testsupport.RealServers;
import io.github.resilientsession.testsupport.RedisServer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.awaitility.Awaitility.await;

/**
 * Writes while the database is down: Redis keeps them, and they are durable once it is
 * back.
 */
@RealServers
class OutageTests {

	private final RedisServer redis;

	private final PostgresServer postgres;

	private String url;

	private SessionNode node;

	OutageTests(RedisServer redis, PostgresServer postgres) {
		this.redis = redis;
		this.postgres = postgres;
	}

	@BeforeEach
	void start() {
		this.url = this.postgres.createDatabase();
		this.node = SessionNode.on(this.redis, this.url).start();
		trusted(this.node);
	}

	@AfterEach
	void stop() {
		if (!this.postgres.isRunning()) {
			this.postgres.restart();
		}
		this.node.close();
	}

	@Test
	void databaseDown_readsAndWritesGoOn_andAreDurableOnceItIsBack() {
		String changed = this.node.create("a", "0", "b", "0");
		String ended = this.node.create("a", "0");
		String moved = this.node.create("a", "0");
		this.postgres.kill();
		this.node.set(changed, "a", "1");
		this.node.set(changed, "b", null);
		String created = this.node.create("a", "1");
		this.node.set(created, "c", "2");
		assertThat(this.node.repository.findById(ended)).isNotNull();
		this.node.repository.deleteById(ended);
		ResilientSession moving = this.node.find(moved);
		moving.setAttribute("a", "1");
		String newId = moving.changeSessionId();
		this.node.repository.save(moving);
		assertState(changed, created, ended, moved, newId);
		this.postgres.restart();
		durable();
		assertState(changed, created, ended, moved, newId);
		this.redis.flushAll();
		assertState(changed, created, ended, moved, newId);
	}

	private void assertState(String changed, String created, String ended, String moved, String newId) {
		assertThat(this.node.get(changed, "a")).isEqualTo("1");
		assertThat(this.node.get(changed, "b")).isNull();
		assertThat(this.node.get(created, "a")).isEqualTo("1");
		assertThat(this.node.get(created, "c")).isEqualTo("2");
		assertThat(this.node.repository.findById(ended)).isNull();
		assertThat(this.node.repository.findById(moved)).isNull();
		assertThat(this.node.get(newId, "a")).isEqualTo("1");
	}

	@Test
	void databaseDownForOneNodeOnly_whatTheOtherCommitsMeanwhile_isMerged() {
		String id = this.node.create("a", "0", "b", "0", "c", "0");
		try (SessionNode apart = SessionNode.on(this.redis, "jdbc:postgresql://localhost:1/none").start()) {
			trusted(apart);
			apart.set(id, "a", "1");
			this.node.set(id, "b", "1");
			apart.set(id, "c", "1");
			this.node.set(id, "b", "2");
			assertThat(apart.get(id, "b")).isEqualTo("2");
			assertThat(this.node.get(id, "a")).isEqualTo("1");
		}
		this.node.set(id, "b", "3");
		this.redis.flushAll();
		assertThat(this.node.get(id, "a")).isEqualTo("1");
		assertThat(this.node.get(id, "b")).isEqualTo("3");
		assertThat(this.node.get(id, "c")).isEqualTo("1");
	}

	@Test
	void nodeThatWroteIsGone_itsWritesAreFoundByTheirMarks() {
		String changed = this.node.create("a", "0");
		String ended = this.node.create("a", "0");
		try (SessionNode apart = SessionNode.on(this.redis, "jdbc:postgresql://localhost:1/none").start()) {
			trusted(apart);
			apart.set(changed, "a", "1");
			apart.repository.deleteById(ended);
		}
		await().atMost(Duration.ofSeconds(20)).untilAsserted(() -> {
			assertThat(this.postgres.queryForLong(PostgresServer.database(this.url),
					"select count(*) from resilient_session where state = 1"))
				.isEqualTo(1);
			assertThat(this.redis
				.<Boolean>call((commands) -> commands.hexists("spring:session:sessions:" + changed, "unpersisted")))
				.isFalse();
		});
		this.redis.flushAll();
		assertThat(this.node.get(changed, "a")).isEqualTo("1");
		assertThat(this.node.repository.findById(ended)).isNull();
	}

	@Test
	void endAndChangeOfId_whoseTombstonesRedisLoses_areDurableAllTheSame() {
		String ended = this.node.create("a", "0");
		String moved = this.node.create("a", "0");
		this.postgres.kill();
		this.node.repository.deleteById(ended);
		ResilientSession moving = this.node.find(moved);
		String newId = moving.changeSessionId();
		this.node.repository.save(moving);
		this.redis
			.call((commands) -> commands.del("spring:session:sessions:" + ended, "spring:session:sessions:" + moved));
		this.postgres.restart();
		durable();
		assertThat(this.node.repository.findById(ended)).isNull();
		assertThat(this.node.repository.findById(moved)).isNull();
		assertThat(this.node.get(newId, "a")).isEqualTo("0");
		assertThat(this.postgres.queryForLong(PostgresServer.database(this.url),
				"select count(*) from resilient_session where state = 1 and session_id in ('%s', '%s')".formatted(ended,
						moved)))
			.isEqualTo(2);
	}

	@Test
	void writesThatWerePersisted_doNotOverwriteLaterOnes_whenTheirCopyComesBack() {
		String id = this.node.create("a", "0");
		this.postgres.kill();
		this.node.set(id, "a", "1");
		Path marked = this.redis.snapshot();
		this.postgres.restart();
		durable();
		this.redis.kill();
		await().untilAsserted(() -> {
			this.node.set(id, "a", "2");
			assertThat(this.node.redisIsCutOff()).isTrue();
		});
		this.redis.restartFrom(marked);
		await().untilAsserted(() -> assertThat(this.node.redisIsCutOff()).isFalse());
		assertThat(this.node.get(id, "a")).isEqualTo("2");
		this.redis.flushAll();
		assertThat(this.node.get(id, "a")).isEqualTo("2");
	}

	@Test
	void writeThatALaterOneHasSuperseded_isNotBroughtBackByASlowRequest() {
		String id = this.node.create("a", "0");
		try (SessionNode apart = SessionNode.on(this.redis, "jdbc:postgresql://localhost:1/none").start()) {
			apart.set(id, "a", "1");
			ResilientSession slow = this.node.find(id);
			apart.set(id, "a", "2");
			this.node.set(id, "b", "1");
			slow.setAttribute("c", "1");
			this.node.repository.save(slow);
			assertThat(this.node.get(id, "a")).isEqualTo("2");
			this.redis.flushAll();
			assertThat(this.node.get(id, "a")).isEqualTo("2");
			assertThat(this.node.get(id, "b")).isEqualTo("1");
			assertThat(this.node.get(id, "c")).isEqualTo("1");
		}
	}

	@Test
	void strict_refusesWrites_andServesReads() {
		String id = this.node.create("a", "0");
		try (SessionNode strict = SessionNode.on(this.redis, "jdbc:postgresql://localhost:1/none").strict().start()) {
			trusted(strict);
			assertThat(strict.get(id, "a")).isEqualTo("0");
			assertThatExceptionOfType(SessionStoreUnavailableException.class)
				.isThrownBy(() -> strict.set(id, "a", "1"));
			assertThatExceptionOfType(SessionStoreUnavailableException.class)
				.isThrownBy(() -> strict.repository.deleteById(id));
			assertThatExceptionOfType(SessionStoreUnavailableException.class).isThrownBy(() -> strict.create("a", "1"));
		}
		assertThat(this.node.get(id, "a")).isEqualTo("0");
	}

	@Test
	void databaseDown_sessionThatRedisDoesNotHave_isUnavailable_andNeverAbsent() {
		try (SessionNode apart = SessionNode.on(this.redis, "jdbc:postgresql://localhost:1/none").start()) {
			assertThatExceptionOfType(SessionStoreUnavailableException.class)
				.isThrownBy(() -> apart.repository.findById(UUID.randomUUID().toString()));
		}
	}

	/**
	 * Until Redis is trusted: while the database is down nothing else is read.
	 */
	private void trusted(SessionNode some) {
		await().atMost(Duration.ofSeconds(20)).until(some::trustsRedis);
	}

	private void durable() {
		await().atMost(Duration.ofSeconds(20)).untilAsserted(() -> {
			assertThat(this.node.durableIsCutOff()).isFalse();
			assertThat(this.node.unpersisted()).isEmpty();
		});
	}

}

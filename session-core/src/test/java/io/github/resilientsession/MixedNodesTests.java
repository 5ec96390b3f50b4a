package io.github.resilientsession;

import java.time.Duration;
import java.time.Instant;

import io.github.resilientsession.record.TtlPolicy;
import io.github.resilientsession.testsupport.PostgresServer;
import io.github.resilientsession.testsupport.RealServers;
import io.github.resilientsession.testsupport.RedisServer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

import org.springframework.session.MapSession;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

/**
 * Nodes that are not alike: of different settings, or of different versions of this
 * library, of which the newer keeps more than the older knows of.
 */
@RealServers
class MixedNodesTests {

	private static final Duration STRICT = Duration.ofMinutes(10);

	private final RedisServer redis;

	private final PostgresServer postgres;

	private final String url;

	private SessionNode node;

	MixedNodesTests(RedisServer redis, PostgresServer postgres) {
		this.redis = redis;
		this.postgres = postgres;
		this.url = postgres.createDatabase();
	}

	@BeforeEach
	void start() {
		this.node = SessionNode.on(this.redis, this.url).start();
		this.node.repository.setDefaultMaxInactiveInterval(Duration.ofHours(2));
	}

	@AfterEach
	void stop() {
		if (!this.postgres.isRunning()) {
			this.postgres.restart();
		}
		this.node.close();
	}

	@Test
	void nodeThatAllowsLess_wins_whenItHasServedTheSession() {
		String written = this.node.create("a", "0");
		String touched = this.node.create("a", "0");
		String rebuilt = this.node.create("a", "0");
		try (SessionNode strict = strict()) {
			assertThat(strict.find(written).getMaxInactiveInterval()).isEqualTo(STRICT);
			strict.set(written, "a", "1");
			touch(strict, touched);
			this.redis.flushAll();
			strict.set(rebuilt, "a", "1");
		}
		for (String id : new String[] { written, touched, rebuilt }) {
			this.node.set(id, "b", "1");
			touch(this.node, id);
			assertThat(this.node.find(id).getMaxInactiveInterval()).isEqualTo(STRICT);
			assertThat(column("max_inactive_seconds", id)).isEqualTo(STRICT.toSeconds());
			assertThat(column("expires_at", id) - column("last_accessed_at", id))
				.isLessThan(STRICT.plusMinutes(3).toMillis());
			assertThat(this.redis.pttl(key(id))).isBetween(1L, STRICT.toMillis());
			this.redis.call((commands) -> commands.del(key(id)));
			assertThat(this.node.find(id).getMaxInactiveInterval()).isEqualTo(STRICT);
			await().untilAsserted(() -> assertThat(this.redis.pttl(key(id))).isBetween(1L, STRICT.toMillis()));
		}
	}

	@Test
	void nodeThatAllowsLess_wins_alsoOverAWriteThatIsMergedWithItsOwn() {
		String id = this.node.create("a", "0");
		ResilientSession slow = this.node.find(id);
		try (SessionNode strict = strict()) {
			strict.set(id, "b", "1");
		}
		slow.setAttribute("a", "1");
		this.node.repository.save(slow);
		assertThat(this.node.get(id, "a")).isEqualTo("1");
		assertThat(this.node.find(id).getMaxInactiveInterval()).isEqualTo(STRICT);
		assertThat(column("max_inactive_seconds", id)).isEqualTo(STRICT.toSeconds());
	}

	@Test
	void nodeThatAllowsLess_wins_alsoWhileTheDatabaseIsDown() {
		String id = this.node.create("a", "0");
		try (SessionNode strict = strict()) {
			this.postgres.kill();
			strict.set(id, "a", "1");
			assertThat(this.redis.pttl(key(id))).isBetween(1L, STRICT.toMillis());
			this.postgres.restart();
			await().atMost(Duration.ofSeconds(20)).until(() -> strict.unpersisted().isEmpty());
		}
		assertThat(column("max_inactive_seconds", id)).isEqualTo(STRICT.toSeconds());
	}

	@Test
	void endInAnOutage_byAStricterNode_staysAsLongAsTheRowMayLive() {
		String id = this.node.create("a", "0");
		String shortened = this.node.create("a", "0");
		try (SessionNode strict = strict()) {
			this.postgres.kill();
			ResilientSession session = this.node.find(shortened);
			session.setMaxInactiveInterval(Duration.ofMinutes(1));
			this.node.repository.save(session);
			this.node.repository.deleteById(shortened);
			strict.repository.deleteById(id);
			Duration life = MapSession.DEFAULT_MAX_INACTIVE_INTERVAL;
			assertThat(Duration.ofMillis(this.redis.pttl(key(id)))).isGreaterThan(life);
			assertThat(Duration.ofMillis(this.redis.pttl(key(shortened)))).isGreaterThan(life);
			this.postgres.restart();
			await().atMost(Duration.ofSeconds(20)).until(() -> strict.unpersisted().isEmpty());
		}
		assertThat(this.node.repository.findById(id)).isNull();
	}

	@Test
	void fieldOfANewerVersion_staysInTheCopy_throughWritesTouchesAndMerges() {
		String id = this.node.create("a", "0");
		addField(id);
		touch(this.node, id);
		hasField(id);
		this.node.set(id, "a", "1");
		hasField(id);
		// Somebody else has committed what Redis does not know: the copy is replaced.
		try (SessionNode blind = SessionNode.on(this.redis, this.url).redisPort(1).start()) {
			ResilientSession slow = this.node.find(id);
			blind.set(id, "b", "1");
			slow.setAttribute("c", "1");
			this.node.repository.save(slow);
		}
		assertThat(this.node.get(id, "b")).isEqualTo("1");
		assertThat(this.node.get(id, "c")).isEqualTo("1");
		hasField(id);
	}

	@Test
	void fieldOfANewerVersion_staysInTheCopy_whileTheDatabaseIsDownAndWhenItIsBack() {
		String id = this.node.create("a", "0");
		addField(id);
		this.postgres.kill();
		this.node.set(id, "a", "1");
		hasField(id);
		this.postgres.restart();
		await().atMost(Duration.ofSeconds(20)).until(() -> this.node.unpersisted().isEmpty());
		hasField(id);
		assertThat(this.node.get(id, "a")).isEqualTo("1");
	}

	@Test
	void columnOfANewerVersion_isLeftAsItIs() {
		String id = this.node.create("a", "0");
		sql("alter table resilient_session add column newer integer not null default 1");
		sql("update resilient_session set newer = 2");
		this.node.set(id, "a", "1");
		touch(this.node, id);
		this.redis.flushAll();
		assertThat(this.node.get(id, "a")).isEqualTo("1");
		this.node.set(id, "a", "2");
		assertThat(column("newer", id)).isEqualTo(2);
		ResilientSession moving = this.node.find(id);
		String newId = moving.changeSessionId();
		this.node.repository.save(moving);
		// A change of id inserts a row, and an older node does not know what to copy.
		assertThat(column("newer", newId)).isEqualTo(1);
		assertThat(this.node.get(newId, "a")).isEqualTo("2");
		assertThat(this.node.get(this.node.create("a", "3"), "a")).isEqualTo("3");
		this.node.repository.deleteById(newId);
		assertThat(this.node.repository.findById(newId)).isNull();
	}

	private static void touch(SessionNode some, String id) {
		ResilientSession session = some.find(id);
		session.setLastAccessedTime(Instant.now());
		some.repository.save(session);
	}

	private SessionNode strict() {
		SessionNode strict = SessionNode.on(this.redis, this.url)
			.ttl(new TtlPolicy(Duration.ofSeconds(1), STRICT, TtlPolicy.OnViolation.CLAMP))
			.start();
		strict.repository.setDefaultMaxInactiveInterval(STRICT);
		return strict;
	}

	private void addField(String id) {
		this.redis.call((commands) -> commands.hset(key(id), "newer", "kept"));
	}

	private void hasField(String id) {
		assertThat(this.redis.<String>call((commands) -> commands.hget(key(id), "newer"))).isEqualTo("kept");
	}

	private static String key(String id) {
		return "spring:session:sessions:" + id;
	}

	private long column(String column, String id) {
		return this.postgres.queryForLong(PostgresServer.database(this.url),
				"select " + column + " from resilient_session where session_id = '" + id + "'");
	}

	private void sql(String sql) {
		this.postgres.execute(PostgresServer.database(this.url), sql);
	}

}

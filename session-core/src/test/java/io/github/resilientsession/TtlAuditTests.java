package io.github.resilientsession;

import java.time.Duration;
import java.util.Map;

import io.github.resilientsession.reconcile.TtlAudit;
import io.github.resilientsession.reconcile.TtlAuditSettings;
import io.github.resilientsession.testsupport.PostgresServer;
import io.github.resilientsession.testsupport.RealServers;
import io.github.resilientsession.testsupport.RedisServer;
import io.lettuce.core.AclSetuserArgs;
import io.lettuce.core.RedisURI;
import io.lettuce.core.api.sync.RedisCommands;
import io.lettuce.core.codec.ByteArrayCodec;
import io.lettuce.core.protocol.CommandType;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

import org.springframework.data.redis.serializer.RedisSerializer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

/**
 * Tests for {@link TtlAudit}: sessions in Redis without a TTL get one.
 */
@RealServers
class TtlAuditTests {

	private static final String PREFIX = "spring:session:sessions:";

	private static final Duration LONG = Duration.ofDays(30);

	private final RedisServer redis;

	private final String database;

	private SessionNode node;

	TtlAuditTests(RedisServer redis, PostgresServer postgres) {
		this.redis = redis;
		this.database = postgres.createDatabase();
	}

	@AfterEach
	void close() {
		this.redis.flushAll();
		this.node.close();
	}

	@Test
	void audit_givesALiveSessionWhatIsLeftOfItsLife_andLeavesOthersAsTheyAre() {
		this.node = SessionNode.on(this.redis, this.database).start();
		String immortal = this.node.create("cart", "umbrella");
		String other = this.node.create("cart", "hat");
		this.redis.call((commands) -> commands.persist(PREFIX + immortal));
		this.redis.call((commands) -> commands.pexpire(PREFIX + other, 100_000));
		assertThat(this.redis.pttl(PREFIX + immortal)).isEqualTo(-1);
		TtlAudit.Progress audit = audit(false);
		assertThat(audit.found()).isEqualTo(1);
		assertThat(audit.repaired()).isEqualTo(1);
		assertThat(this.redis.pttl(PREFIX + immortal)).isBetween(1_700_000L, 1_800_000L);
		assertThat(this.redis.pttl(PREFIX + other)).isBetween(1L, 100_000L);
		assertThat(this.node.events.of("ttlMissing")).isEqualTo(1);
		assertThat(this.node.get(immortal, "cart")).isEqualTo("umbrella");
	}

	@Test
	void audit_givesOthersTheLongestLifeThatIsAllowed() {
		this.node = SessionNode.on(this.redis, this.database).start();
		this.redis.call((commands) -> {
			commands.set(PREFIX + "text", "no session");
			commands.hset(PREFIX + "hash", "no", "session");
			return commands.lpush(PREFIX + "list", "no", "session");
		});
		assertThat(audit(false).repaired()).isEqualTo(3);
		for (String id : new String[] { "text", "hash", "list" }) {
			assertThat(this.redis.pttl(PREFIX + id)).isBetween(LONG.toMillis() - 60_000, LONG.toMillis());
		}
		String text = this.redis.call((commands) -> commands.get(PREFIX + "text"));
		assertThat(text).isEqualTo("no session");
	}

	@Test
	void audit_givesASessionThatNeverExpires_writtenByPlainSpringSession_theLongestLife() {
		this.node = SessionNode.on(this.redis, this.database).start();
		long now = System.currentTimeMillis();
		writePlain("plain", Map.of("creationTime", now, "lastAccessedTime", now, "maxInactiveInterval", -1));
		assertThat(audit(false).repaired()).isEqualTo(1);
		assertThat(this.redis.pttl(PREFIX + "plain")).isBetween(LONG.toMillis() - 60_000, LONG.toMillis());
	}

	@Test
	void audit_letsASessionGoSoon_thatShouldBeGone() {
		this.node = SessionNode.on(this.redis, this.database).start();
		long before = System.currentTimeMillis() - Duration.ofHours(2).toMillis();
		writePlain("old", Map.of("creationTime", before, "lastAccessedTime", before, "maxInactiveInterval", 1_800));
		assertThat(audit(false).repaired()).isEqualTo(1);
		await().until(() -> this.redis.pttl(PREFIX + "old") == -2);
	}

	@Test
	void dryRun_onlyCounts() {
		this.node = SessionNode.on(this.redis, this.database).start();
		this.redis.call((commands) -> commands.set(PREFIX + "text", "no session"));
		TtlAudit.Progress audit = audit(true);
		assertThat(audit.found()).isEqualTo(1);
		assertThat(audit.repaired()).isZero();
		assertThat(this.redis.pttl(PREFIX + "text")).isEqualTo(-1);
	}

	@Test
	void audit_isDoneSoonAfterTheStart_byOneNode() {
		TtlAuditSettings settings = new TtlAuditSettings(true, Duration.ofDays(1), 100_000, true);
		this.redis.call((commands) -> commands.set(PREFIX + "text", "no session"));
		this.node = SessionNode.on(this.redis, this.database).ttlAudit(settings).start();
		await().until(() -> isCompleted(this.node));
		try (SessionNode other = SessionNode.on(this.redis, this.database).ttlAudit(settings).start()) {
			await().during(Duration.ofSeconds(2)).until(() -> !isCompleted(other));
			other.sessions().requestTtlAudit(true);
			await().until(() -> isCompleted(other));
		}
		assertThat(this.node.sessions().ttlAuditProgress().found()).isEqualTo(1);
	}

	@Test
	void audit_isDoneOncePerInterval() {
		TtlAuditSettings settings = new TtlAuditSettings(true, Duration.ofSeconds(2), 100_000, false);
		this.node = SessionNode.on(this.redis, this.database).ttlAudit(settings).start();
		await().until(() -> isCompleted(this.node));
		this.redis.call((commands) -> commands.set(PREFIX + "text", "no session"));
		await().until(() -> this.redis.pttl(PREFIX + "text") > 0);
	}

	@Test
	void audit_goesOnWhereItWas_afterRedisDidNotAnswer() {
		this.node = SessionNode.on(this.redis, this.database)
			.ttlAudit(new TtlAuditSettings(false, Duration.ofHours(1), 1_000, false))
			.start();
		int sessions = 3_000;
		this.redis.call((commands) -> {
			for (int i = 0; i < sessions; i++) {
				commands.set(PREFIX + "text" + i, "no session");
			}
			return true;
		});
		this.node.sessions().requestTtlAudit(false);
		await().until(() -> this.node.sessions().ttlAuditProgress().found() >= 1_000);
		this.redis.pause();
		await().until(() -> !this.node.sessions().ttlAuditProgress().running());
		this.redis.resume();
		await().atMost(Duration.ofSeconds(30)).until(() -> isCompleted(this.node));
		TtlAudit.Progress audit = this.node.sessions().ttlAuditProgress();
		assertThat(audit.found()).isBetween(sessions - 200L, (long) sessions);
		assertThat(audit.scanned()).isLessThan(sessions + 500L);
		assertThat(this.redis.keysWithoutTtl(PREFIX)).isEmpty();
	}

	@Test
	void audit_thatRedisDoesNotAllow_isGivenUp() {
		this.node = SessionNode.on(this.redis, this.database).start();
		this.redis.call((commands) -> commands.set(PREFIX + "text", "no session"));
		this.redis
			.call((commands) -> commands.aclSetuser("default", AclSetuserArgs.Builder.removeCommand(CommandType.SCAN)));
		this.redis.call(RedisCommands::aclLogReset);
		try {
			this.node.sessions().requestTtlAudit(false);
			await().atMost(Duration.ofSeconds(30)).until(() -> refusals() == 5);
			await().during(Duration.ofSeconds(4)).until(() -> refusals() == 5);
		}
		finally {
			this.redis.call((commands) -> commands.aclSetuser("default", AclSetuserArgs.Builder.allCommands()));
		}
		assertThat(this.node.redisIsCutOff()).isFalse();
		assertThat(this.redis.pttl(PREFIX + "text")).isEqualTo(-1);
		this.redis.flushAll();
	}

	@Test
	void audit_waitsForARedisThatIsDown() {
		this.node = SessionNode.on(this.redis, this.database).start();
		this.redis.kill();
		await().until(this.node::redisIsCutOff);
		this.node.sessions().requestTtlAudit(false);
		this.redis.restartEmpty();
		this.redis.call((commands) -> commands.set(PREFIX + "text", "no session"));
		await().until(() -> this.redis.pttl(PREFIX + "text") > 0);
	}

	/**
	 * How often Redis has refused a command.
	 */
	private long refusals() {
		return this.redis.call((commands) -> commands.aclLog()
			.stream()
			.mapToLong((entry) -> Long.parseLong(String.valueOf(entry.get("count"))))
			.sum());
	}

	private static boolean isCompleted(SessionNode node) {
		return node.sessions().ttlAuditProgress().completed().toEpochMilli() > 0;
	}

	private TtlAudit.Progress audit(boolean dryRun) {
		this.node.sessions().requestTtlAudit(dryRun);
		await().until(() -> isCompleted(this.node));
		return this.node.sessions().ttlAuditProgress();
	}

	private void writePlain(String id, Map<String, Object> fields) {
		RedisServer.connected(RedisURI.create(this.redis.uri()), ByteArrayCodec.INSTANCE, (connection) -> {
			fields.forEach((name, value) -> connection.sync()
				.hset((PREFIX + id).getBytes(), name.getBytes(), RedisSerializer.java().serialize(value)));
			return true;
		});
	}

}

package io.github.resilientsession;

import io.github.resilientsession.testsupport.PostgresServer;
import io.github.resilientsession.testsupport.RealServers;
import io.github.resilientsession.testsupport.RedisServer;
import io.github.resilientsession.testsupport.StatementCount;
import org.junit.jupiter.api.Test;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

/**
 * What touches cost the database.
 */
@RealServers
class TouchTests {

	private final RedisServer redis;

	private final PostgresServer postgres;

	TouchTests(RedisServer redis, PostgresServer postgres) {
		this.redis = redis;
		this.postgres = postgres;
	}

	@Test
	void touches_areGathered_andWrittenOnceWithinTheGraceOfTheirSession() {
		try (SessionNode node = SessionNode.on(this.redis, this.postgres.createDatabase()).start()) {
			String id = node.create("a", "0");
			StatementCount statements = this.postgres.countStatements("for update skip locked");
			await().pollInterval(SessionNode.RECONCILE_INTERVAL.dividedBy(8)).until(() -> {
				touch(node, id);
				return statements.count() > 0;
			});
			long flushes = node.events.of("redisHit") + 2 * 8 * 3;
			await().pollInterval(SessionNode.RECONCILE_INTERVAL.dividedBy(8)).until(() -> {
				touch(node, id);
				return node.events.of("redisHit") > flushes;
			});
			// A touch that comes while another is being written is written after it.
			assertThat(statements.count()).isLessThanOrEqualTo(2);
		}
	}

	private static void touch(SessionNode node, String id) {
		ResilientSession session = node.find(id);
		session.setLastAccessedTime(session.getLastAccessedTime().plusMillis(1));
		node.repository.save(session);
	}

}

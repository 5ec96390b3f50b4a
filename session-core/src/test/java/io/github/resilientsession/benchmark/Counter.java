package io.github.resilientsession.benchmark;

import io.github.resilientsession.SessionNode;
import io.github.resilientsession.testsupport.CommandWatch;
import io.github.resilientsession.testsupport.PostgresServer;
import io.github.resilientsession.testsupport.RedisServer;
import io.github.resilientsession.testsupport.StatementCount;

/**
 * Counts at the servers what an operation costs: the commands that Redis is sent, from
 * {@code MONITOR} (a script is one), and the statements that PostgreSQL logs. Both slow
 * the servers down, so nothing is timed meanwhile.
 */
final class Counter {

	private final RedisServer redis;

	private final PostgresServer postgres;

	Counter(RedisServer redis, PostgresServer postgres) {
		this.redis = redis;
		this.postgres = postgres;
	}

	/**
	 * Count what a peer does.
	 */
	Counts count(Peer<?> peer, Work work) throws Exception {
		if (!this.redis.isRunning()) {
			StatementCount statements = this.postgres.countStatements(peer.table());
			work.run();
			return counts(0, statements);
		}
		try (CommandWatch commands = this.redis.watchCommands()) {
			awaitBackground(peer);
			StatementCount statements = peer.table().isEmpty() ? null : this.postgres.countStatements(peer.table());
			work.run();
			awaitBackground(peer);
			return counts(commands.take(peer.keys()).size(), statements);
		}
	}

	/**
	 * Let a node write the touches that it has collected.
	 */
	private static void awaitBackground(Peer<?> peer) throws InterruptedException {
		if (peer.resources() instanceof SessionNode) {
			Thread.sleep(Peers.RECONCILE_INTERVAL.multipliedBy(2).toMillis());
		}
	}

	private Counts counts(long commands, StatementCount statements) {
		long executed = (statements != null) ? statements.count() : 0;
		this.postgres.execute("alter system reset log_statement");
		this.postgres.execute("select pg_reload_conf()");
		return new Counts(commands, executed);
	}

	/**
	 * What is counted.
	 */
	@FunctionalInterface
	interface Work {

		void run() throws Exception;

	}

	/**
	 * What the servers have counted.
	 */
	record Counts(long redisCommands, long statements) {

	}

}

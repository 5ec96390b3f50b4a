package io.github.resilientsession.benchmark;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.UUID;

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
		try (Socket socket = new Socket(this.redis.host(), this.redis.port());
				BufferedReader lines = new BufferedReader(
						new InputStreamReader(socket.getInputStream(), StandardCharsets.ISO_8859_1))) {
			socket.getOutputStream().write("MONITOR\r\n".getBytes(StandardCharsets.US_ASCII));
			lines.readLine();
			StatementCount statements = peer.table().isEmpty() ? null : this.postgres.countStatements(peer.table());
			String last = UUID.randomUUID().toString();
			long[] commands = new long[1];
			Thread reader = new Thread(() -> commands[0] = commands(lines, peer.keys(), last));
			reader.start();
			work.run();
			this.redis.call((commandsOf) -> commandsOf.echo(last));
			reader.join();
			return counts(commands[0], statements);
		}
	}

	private Counts counts(long commands, StatementCount statements) {
		long executed = (statements != null) ? statements.count() : 0;
		this.postgres.execute("alter system reset log_statement");
		this.postgres.execute("select pg_reload_conf()");
		return new Counts(commands, executed);
	}

	private static long commands(BufferedReader lines, String keys, String last) {
		try {
			long commands = 0;
			for (String line = lines.readLine(); line != null && !line.contains(last); line = lines.readLine()) {
				if (line.contains(keys) && !line.contains(" lua] ")) {
					commands++;
				}
			}
			return commands;
		}
		catch (IOException ex) {
			throw new UncheckedIOException(ex);
		}
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

package io.github.resilientsession.testsupport;

/**
 * Counts the statements that a PostgreSQL has executed since this was made, from the
 * server's own log.
 */
public final class StatementCount {

	private final PostgresServer server;

	private final String part;

	private final long before;

	StatementCount(PostgresServer server, String part) {
		this.server = server;
		this.part = part;
		this.before = total();
	}

	/**
	 * The statements so far.
	 * @return how many contained the text
	 */
	public long count() {
		return total() - this.before;
	}

	private long total() {
		return this.server.completeLog()
			// A statement of several lines.
			.replace("\n\t", " ")
			.lines()
			.filter((line) -> line.contains("execute ") || line.contains("statement: "))
			.filter((line) -> line.contains(this.part))
			.count();
	}

}

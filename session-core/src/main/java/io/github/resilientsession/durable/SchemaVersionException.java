package io.github.resilientsession.durable;

import java.util.List;

/**
 * Thrown when the tables in the database are of another version than this library needs.
 * Nothing has been written then.
 */
public final class SchemaVersionException extends RuntimeException {

	private static final String MOVED_TO = "'alter table resilient_session add column moved_to varchar(256)'";

	private final String action;

	/**
	 * Create an exception.
	 * @param found the versions that the database names; none if its tables are older
	 * than the first version
	 * @param needed the version that this library needs
	 */
	SchemaVersionException(List<Integer> found, int needed) {
		super("The tables for sessions are of schema version " + describe(found) + ", and this version of Resilient "
				+ "Session needs version " + needed + ". Nothing has been written.");
		this.action = action(found, needed);
	}

	private static String describe(List<Integer> found) {
		return switch (found.size()) {
			case 0 -> "older than 1 (there is a table resilient_session, and no version in resilient_session_schema)";
			case 1 -> found.get(0).toString();
			default -> found + " (nodes of different versions have created them)";
		};
	}

	private static String action(List<Integer> found, int needed) {
		if (found.isEmpty()) {
			return "Stop all nodes, add what is missing by 'alter table resilient_session add column persisted_writes "
					+ "varchar(2048)', " + MOVED_TO + " and the library's schema script, which leaves the sessions "
					+ "alone; or give this application a database or schema of its own.";
		}
		if (found.size() > 1) {
			return "Run one version of the library, and leave only its version in the table resilient_session_schema "
					+ "once the tables are those of its schema script.";
		}
		if (found.get(0) > needed) {
			return "Use the version of the library that the other nodes use: a newer one has brought the tables to "
					+ "version " + found.get(0) + ". To stay on this one, give it a database or schema of its own.";
		}
		if (found.get(0) == 1) {
			return "Stop all nodes and bring the tables to version " + needed + " by " + MOVED_TO
					+ " and 'update resilient_session_schema set version = 2', which leaves the sessions alone; or use "
					+ "the version of the library that created them.";
		}
		return "Bring the tables to version " + needed + " as the library's release notes say, or use the version of "
				+ "the library that created them.";
	}

	/**
	 * What an operator can do about it.
	 * @return one or two sentences
	 */
	public String action() {
		return this.action;
	}

}

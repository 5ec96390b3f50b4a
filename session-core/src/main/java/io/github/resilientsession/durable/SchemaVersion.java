package io.github.resilientsession.durable;

import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

import org.jspecify.annotations.Nullable;

import org.springframework.dao.DataAccessException;

/**
 * The version of the tables, as the database and as this library have it.
 */
final class SchemaVersion {

	/**
	 * What the schema scripts create.
	 */
	static final int NEEDED = 2;

	/**
	 * What PostgreSQL and H2 call a table that is not there.
	 */
	private static final Set<String> NO_SUCH_TABLE = Set.of("42P01", "42S02", "42S03", "42S04");

	private final Statements statements;

	SchemaVersion(Statements statements) {
		this.statements = statements;
	}

	/**
	 * Compare them. A database without any table passes.
	 * @throws SchemaVersionException if they differ
	 */
	void check() {
		// In this order: the script of another node that starts writes the version before
		// it creates the table of sessions, so whoever sees the table sees the version.
		boolean sessions = ask("select 1 from resilient_session where 1 = 0") != null;
		List<Integer> answer = ask("select version from resilient_session_schema order by version");
		List<Integer> found = (answer != null) ? answer : List.of();
		if (found.isEmpty() ? sessions : !found.equals(List.of(NEEDED))) {
			throw new SchemaVersionException(found, NEEDED);
		}
	}

	/**
	 * Whether the script has been run to its end.
	 */
	boolean isComplete() {
		return ask("select 1 from resilient_session where 1 = 0") != null
				&& ask("select 1 from resilient_session_lease where 1 = 0") != null;
	}

	/**
	 * The numbers that a query finds, or {@code null} if there is no such table.
	 */
	private @Nullable List<Integer> ask(String query) {
		try {
			return this.statements.execute("schema check", query, (statement) -> {
				List<Integer> numbers = new ArrayList<>();
				try (ResultSet result = statement.executeQuery()) {
					while (result.next()) {
						numbers.add(result.getInt(1));
					}
				}
				return numbers;
			});
		}
		catch (DataAccessException ex) {
			if (ex.getCause() instanceof SQLException cause
					&& NO_SUCH_TABLE.contains(String.valueOf(cause.getSQLState()))) {
				return null;
			}
			throw ex;
		}
	}

}

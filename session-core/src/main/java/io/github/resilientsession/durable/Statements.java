package io.github.resilientsession.durable;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.sql.SQLTransientException;
import java.time.Duration;

import javax.sql.DataSource;

import org.springframework.jdbc.UncategorizedSQLException;
import org.springframework.jdbc.support.SQLExceptionTranslator;
import org.springframework.jdbc.support.SQLStateSQLExceptionTranslator;

/**
 * Single statements as autocommit JDBC. They take connections from the pool directly and
 * not through Spring, which would hold them until the end of an application's
 * transaction.
 */
final class Statements {

	/**
	 * More than a pool holds that has lost all its connections at once.
	 */
	private static final int MAX_DEAD_CONNECTIONS = 20;

	private final DataSource dataSource;

	private final Duration timeLimit;

	private final SQLExceptionTranslator translator = new SQLStateSQLExceptionTranslator();

	Statements(DataSource dataSource, Duration timeLimit) {
		this.dataSource = dataSource;
		this.timeLimit = timeLimit;
	}

	Connection connection() throws SQLException {
		return this.dataSource.getConnection();
	}

	/**
	 * Execute a statement, which may be executed twice: a connection from the pool may
	 * turn out to be dead, and nobody knows whether it died before the statement was
	 * executed or after.
	 */
	<T> T execute(String task, String sql, Work<T> work) {
		long deadline = System.nanoTime() + this.timeLimit.toNanos() / 2;
		for (int attempt = 1; true; attempt++) {
			try (Connection connection = connection()) {
				try (PreparedStatement statement = connection.prepareStatement(sql)) {
					return work.with(statement);
				}
				catch (SQLException ex) {
					if (attempt == MAX_DEAD_CONNECTIONS || System.nanoTime() - deadline > 0 || !isDead(ex)) {
						throw ex;
					}
				}
			}
			catch (SQLException ex) {
				throw translated(task, ex);
			}
		}
	}

	private static boolean isDead(SQLException ex) {
		String state = ex.getSQLState();
		return state != null && (state.startsWith("08") || state.startsWith("57P"));
	}

	/**
	 * Execute an insert.
	 * @return false if there is such a row already
	 */
	static boolean inserted(PreparedStatement insert) throws SQLException {
		try {
			return insert.executeUpdate() == 1;
		}
		catch (SQLException ex) {
			if ("23505".equals(ex.getSQLState())) {
				// H2 has no insert that passes over a duplicate.
				return false;
			}
			throw ex;
		}
	}

	/**
	 * A driver's message may hold the parameters of a statement, a session id among them:
	 * only those of failed connections are passed on.
	 */
	RuntimeException translated(String task, SQLException ex) {
		String state = String.valueOf(ex.getSQLState());
		SQLException safe = ex;
		if (!state.startsWith("08") && !(ex instanceof SQLTransientException)) {
			safe = new SQLException(ex.getClass().getName() + ", SQL state " + state + ", code " + ex.getErrorCode(),
					ex.getSQLState(), ex.getErrorCode());
			safe.setStackTrace(ex.getStackTrace());
		}
		RuntimeException translated = this.translator.translate("Session " + task, null, safe);
		return (translated != null) ? translated : new UncategorizedSQLException("Session " + task, null, safe);
	}

	/**
	 * What is done with a statement.
	 */
	@FunctionalInterface
	interface Work<T> {

		T with(PreparedStatement statement) throws SQLException;

	}

}

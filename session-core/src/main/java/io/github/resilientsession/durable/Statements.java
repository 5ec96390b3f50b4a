package io.github.resilientsession.durable;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.sql.SQLTransientException;

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

	private final DataSource dataSource;

	private final SQLExceptionTranslator translator = new SQLStateSQLExceptionTranslator();

	Statements(DataSource dataSource) {
		this.dataSource = dataSource;
	}

	Connection connection() throws SQLException {
		return this.dataSource.getConnection();
	}

	<T> T execute(String task, String sql, Work<T> work) {
		try (Connection connection = connection(); PreparedStatement statement = connection.prepareStatement(sql)) {
			return work.with(statement);
		}
		catch (SQLException ex) {
			throw translated(task, ex);
		}
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

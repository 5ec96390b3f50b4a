package io.github.resilientsession.autoconfigure;

import java.sql.SQLException;
import java.util.Locale;

import javax.sql.DataSource;

import io.github.resilientsession.durable.DurableTier;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

import org.springframework.boot.jdbc.EmbeddedDatabaseConnection;
import org.springframework.boot.sql.init.DatabaseInitializationMode;

/**
 * Creates the tables as Spring Session JDBC would: always, never, or in an embedded
 * database only; refuses tables of another version in any case. Runs when the database is
 * first reached, which may be after the start.
 */
final class SchemaInitializer implements Runnable {

	private static final Logger logger = LoggerFactory.getLogger(SchemaInitializer.class);

	// The class of SQL states for a table or column that is not there.
	private static final String SYNTAX_OR_ACCESS = "42";

	private final DurableTier durable;

	private final DataSource dataSource;

	private final DatabaseInitializationMode mode;

	private boolean reported;

	SchemaInitializer(DurableTier durable, DataSource dataSource, DatabaseInitializationMode mode) {
		this.durable = durable;
		this.dataSource = dataSource;
		this.mode = mode;
	}

	@Override
	public void run() {
		boolean create = switch (this.mode) {
			case ALWAYS -> true;
			case NEVER -> false;
			case EMBEDDED -> EmbeddedDatabaseConnection.isEmbedded(this.dataSource);
		};
		if (create) {
			this.durable.initializeSchema();
			return;
		}
		this.durable.checkSchema();
		try {
			this.durable.probe();
		}
		catch (RuntimeException ex) {
			if (isTableMissing(ex)) {
				report(ex);
			}
			throw ex;
		}
	}

	/**
	 * Say once what is wrong. The application starts nevertheless, as it does with the
	 * database down, and finds the table when it is there.
	 */
	private void report(RuntimeException ex) {
		if (!this.reported) {
			this.reported = true;
			logger.error(
					"The database for sessions has no usable table resilient_session, so no session can be saved ({}). "
							+ "Create it with the schema script of the library, or let it be created with "
							+ "resilient-session.durable.initialize-schema=always; it is now {}, and only a database in "
							+ "memory counts as embedded.",
					ex.getMessage(), this.mode.name().toLowerCase(Locale.ROOT));
		}
	}

	private static boolean isTableMissing(Throwable failure) {
		for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
			if (cause instanceof SQLException sql && sql.getSQLState() != null
					&& sql.getSQLState().startsWith(SYNTAX_OR_ACCESS)) {
				return true;
			}
		}
		return false;
	}

}

package io.github.resilientsession.autoconfigure;

import javax.sql.DataSource;

import io.github.resilientsession.durable.DurableTier;

import org.springframework.boot.jdbc.EmbeddedDatabaseConnection;
import org.springframework.boot.sql.init.DatabaseInitializationMode;

/**
 * Creates the table as Spring Session JDBC would: always, never, or in an embedded
 * database only. Runs when the database is first reached, which may be after the start.
 */
final class SchemaInitializer implements Runnable {

	private final DurableTier durable;

	private final DataSource dataSource;

	private final DatabaseInitializationMode mode;

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
		}
	}

}

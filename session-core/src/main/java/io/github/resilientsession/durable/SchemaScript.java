package io.github.resilientsession.durable;

import java.sql.SQLException;

import javax.sql.DataSource;

import org.springframework.core.io.ClassPathResource;
import org.springframework.jdbc.datasource.init.DatabasePopulatorUtils;
import org.springframework.jdbc.datasource.init.ResourceDatabasePopulator;
import org.springframework.jdbc.datasource.init.ScriptException;

/**
 * The script that creates the tables and their indexes where they are missing.
 */
final class SchemaScript {

	/**
	 * As many as the script has statements, each of which can lose to another node once,
	 * and one more.
	 */
	private static final int ATTEMPTS = 8;

	private final ResourceDatabasePopulator script;

	SchemaScript(Platform platform) {
		this.script = new ResourceDatabasePopulator(new ClassPathResource(platform.schemaScript(), SchemaScript.class));
	}

	/**
	 * Run the script. "If not exists" is no lock: of nodes that start together, one
	 * creates the table between another's check and its creation. The other then goes
	 * through the script again.
	 */
	void run(DataSource dataSource) {
		for (int attempt = 1;; attempt++) {
			try {
				DatabasePopulatorUtils.execute(this.script, dataSource);
				return;
			}
			catch (ScriptException ex) {
				if (attempt == ATTEMPTS || !isAnswer(ex)) {
					throw ex;
				}
			}
		}
	}

	/**
	 * Whether the database refused a statement, rather than not answering. Which state it
	 * gives is no use: H2 calls losing that race a general error.
	 */
	private static boolean isAnswer(ScriptException ex) {
		String state = (ex.getCause() instanceof SQLException cause) ? cause.getSQLState() : null;
		return state != null && !state.startsWith("08");
	}

}

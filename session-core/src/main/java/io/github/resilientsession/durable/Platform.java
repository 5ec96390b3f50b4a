package io.github.resilientsession.durable;

import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.Locale;

import javax.sql.DataSource;

/**
 * The databases that sessions can be kept in.
 */
public enum Platform {

	/**
	 * H2, 2.3 or later.
	 */
	H2("H2", "2.3.232", "insert into %s (%s) values (%s)", "select %1$s from final table (%2$s)",
			"set lock_timeout %d"),

	/**
	 * PostgreSQL, 13 or later.
	 */
	POSTGRESQL("PostgreSQL", "13.0", "insert into %s (%s) values (%s) on conflict do nothing", "%2$s returning %1$s",
			"set lock_timeout = %d");

	private final String productName;

	private final String productVersion;

	private final String insert;

	private final String returning;

	private final String lockTimeout;

	Platform(String productName, String productVersion, String insert, String returning, String lockTimeout) {
		this.productName = productName;
		this.productVersion = productVersion;
		this.insert = insert;
		this.returning = returning;
		this.lockTimeout = lockTimeout;
	}

	/**
	 * Tell the platform from a JDBC URL.
	 * @param url the URL
	 * @return the platform
	 * @throws IllegalArgumentException if the database is not supported
	 */
	public static Platform fromUrl(String url) {
		String lower = url.toLowerCase(Locale.ROOT);
		if (lower.startsWith("jdbc:h2:")) {
			return H2;
		}
		if (lower.startsWith("jdbc:postgresql:")) {
			return POSTGRESQL;
		}
		int end = url.indexOf(':', "jdbc:".length());
		throw unsupported(url.substring(0, (end > 0) ? end : Math.min(url.length(), 20)));
	}

	/**
	 * Tell the platform from a connection.
	 * @param dataSource gives the connection
	 * @return the platform
	 * @throws IllegalArgumentException if the database is not supported
	 * @throws IllegalStateException if the database does not answer
	 */
	public static Platform fromConnection(DataSource dataSource) {
		try (Connection connection = dataSource.getConnection()) {
			String product = connection.getMetaData().getDatabaseProductName();
			for (Platform platform : values()) {
				if (platform.productName.equalsIgnoreCase(product)) {
					return platform;
				}
			}
			throw unsupported(product);
		}
		catch (SQLException ex) {
			throw new IllegalStateException("The database for sessions does not answer, so its kind is not known. Set "
					+ "resilient-session.durable.platform to start without it.", ex);
		}
	}

	/**
	 * The statement that a pool executes on each new connection, so that the database
	 * gives up waiting for a lock before its client does. Without it, whoever holds a
	 * lock for long leaves behind, at the database, each statement that has waited for
	 * it.
	 * @param timeLimit how long a statement may take
	 * @return the statement
	 */
	public String connectionInitSql(Duration timeLimit) {
		return this.lockTimeout.formatted(timeLimit.toMillis() / 2);
	}

	private static IllegalArgumentException unsupported(String what) {
		return new IllegalArgumentException("Sessions cannot be kept in " + what + ": H2 and PostgreSQL are "
				+ "supported. Set resilient-session.datasource.url to one of those, or "
				+ "resilient-session.durable.platform if this is one under another name.");
	}

	String productName() {
		return this.productName;
	}

	String productVersion() {
		return this.productVersion;
	}

	String schemaScript() {
		return "schema-" + name().toLowerCase(Locale.ROOT) + ".sql";
	}

	String insert(String table, String columns, String placeholders) {
		return this.insert.formatted(table, columns, placeholders);
	}

	String returning(String column, String update) {
		return this.returning.formatted(column, update);
	}

}

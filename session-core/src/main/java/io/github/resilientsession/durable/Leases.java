package io.github.resilientsession.durable;

import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.util.Optional;

import org.jspecify.annotations.Nullable;

/**
 * Leases on what only one node is to do at a time. They run by the database's clock, so
 * that nodes whose clocks differ agree on when one is over.
 */
final class Leases {

	private static final String NOW = "cast(extract(epoch from current_timestamp) * 1000 as bigint)";

	/**
	 * Of nodes that see the lease run out, the database lets one change the row; the
	 * others find it changed.
	 */
	private static final String TAKE = "update resilient_session_lease set owner = ?, expires_at = " + NOW
			+ " + ? where name = ? and (owner = ? or expires_at <= " + NOW + ")";

	private static final String RENEW = "update resilient_session_lease set expires_at = " + NOW
			+ " + ?, progress = ? where name = ? and owner = ?";

	private static final String RELEASE = "update resilient_session_lease set owner = '', expires_at = 0 "
			+ "where name = ? and owner = ?";

	private final Statements statements;

	private final String take;

	private final String insert;

	Leases(Statements statements, Platform platform) {
		this.statements = statements;
		this.take = platform.returning("progress", TAKE);
		this.insert = platform.insert("resilient_session_lease", "owner, expires_at, name, progress",
				"?, " + NOW + " + ?, ?, ''");
	}

	@Nullable String acquire(String name, String owner, Duration duration) {
		Optional<String> progress = this.statements.execute("lease", this.take, (statement) -> {
			set(statement, name, owner, duration);
			statement.setString(4, owner);
			try (ResultSet row = statement.executeQuery()) {
				return row.next() ? Optional.of(row.getString(1)) : Optional.empty();
			}
		});
		if (progress.isPresent()) {
			return progress.get();
		}
		boolean first = this.statements.execute("lease", this.insert, (statement) -> {
			set(statement, name, owner, duration);
			return Statements.inserted(statement);
		});
		return first ? "" : null;
	}

	private static void set(PreparedStatement statement, String name, String owner, Duration duration)
			throws SQLException {
		statement.setString(1, owner);
		statement.setLong(2, duration.toMillis());
		statement.setString(3, name);
	}

	boolean renew(String name, String owner, Duration duration, String progress) {
		return this.statements.execute("lease", RENEW, (statement) -> {
			statement.setLong(1, duration.toMillis());
			statement.setString(2, progress);
			statement.setString(3, name);
			statement.setString(4, owner);
			return statement.executeUpdate() == 1;
		});
	}

	void release(String name, String owner) {
		this.statements.execute("lease", RELEASE, (statement) -> {
			statement.setString(1, name);
			statement.setString(2, owner);
			return statement.executeUpdate() == 1;
		});
	}

}

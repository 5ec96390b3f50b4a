package io.github.resilientsession.durable;

import java.sql.Array;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.SQLTransientException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;

import javax.sql.DataSource;

import io.github.resilientsession.codec.AttributesPayload;
import io.github.resilientsession.record.SessionChange;
import io.github.resilientsession.record.SessionRecord;
import org.jspecify.annotations.Nullable;

import org.springframework.jdbc.UncategorizedSQLException;
import org.springframework.jdbc.support.SQLExceptionTranslator;
import org.springframework.jdbc.support.SQLStateSQLExceptionTranslator;

/**
 * The statements that requests wait for, as autocommit JDBC. They take connections from
 * the pool directly and not through Spring, which would hold them until the end of an
 * application's transaction.
 */
final class SessionRows {

	private static final String BUCKET = "((%s + " + (SessionRow.EXPIRY_BUCKET_MILLIS - 1) + ") / "
			+ SessionRow.EXPIRY_BUCKET_MILLIS + ") * " + SessionRow.EXPIRY_BUCKET_MILLIS;

	private static final String LOAD = "select " + SessionRow.COLUMNS
			+ " from resilient_session where session_id = any(?)";

	/**
	 * Last access and expiry only move forward here, unless the interval itself shrinks.
	 */
	private static final String UPDATE = "update resilient_session set version = ?, "
			+ "last_accessed_at = greatest(last_accessed_at, ?), max_inactive_seconds = ?, expires_at = "
			+ BUCKET.formatted("greatest(last_accessed_at, ?) + ?")
			+ ", attributes = ?, redis_pending = (redis_pending or ?), "
			+ "persisted_writes = coalesce(cast(? as varchar), persisted_writes)%s "
			+ "where session_id = ? and version = ? and state = 0";

	private static final String UPDATE_KEEPING_PRINCIPAL = UPDATE.formatted("");

	private static final String UPDATE_WITH_PRINCIPAL = UPDATE.formatted(", principal_name = ?");

	private static final String END = "update resilient_session set state = 1, version = version + 1, "
			+ "principal_name = null, attributes = ?, redis_pending = (redis_pending or ?) "
			+ "where session_id = ? and state = 0";

	private static final String END_OF_VERSION = END + " and version = ?";

	private static final String TOUCH = "update resilient_session set last_accessed_at = ?, expires_at = "
			+ BUCKET.formatted("? + max_inactive_seconds * 1000 + least(?, max_inactive_seconds * 1000 / "
					+ DurableSettings.GRACE_DIVISOR + ")")
			+ " where session_id = ? and state = 0 and last_accessed_at < ?";

	private static final String VERSIONS = "select session_id, version, state from resilient_session "
			+ "where session_id = any(?)";

	private static final String RECENT = "select " + SessionRow.COLUMNS + " from resilient_session "
			+ "where state = 0 and expires_at > ? %sorder by expires_at desc, session_id desc limit ?";

	/**
	 * The database's time in milliseconds, the same for all nodes.
	 */
	private static final String NOW = "cast(floor(extract(epoch from current_timestamp) * 1000) as bigint)";

	/**
	 * More than a pool holds that has lost all its connections at once.
	 */
	private static final int MAX_DEAD_CONNECTIONS = 20;

	private static final byte[] NO_ATTRIBUTES = AttributesPayload.encode(Map.of());

	private final DataSource dataSource;

	private final DurableSettings settings;

	private final String insert;

	private final String end;

	private final SQLExceptionTranslator translator = new SQLStateSQLExceptionTranslator();

	SessionRows(DataSource dataSource, DurableSettings settings) {
		this.dataSource = dataSource;
		this.settings = settings;
		this.insert = settings.platform()
			.insert(SessionRow.COLUMNS + ", persisted_writes", "?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?");
		this.end = settings.platform().returningVersion(END);
	}

	List<SessionRow> load(Collection<String> ids) {
		return execute("load", LOAD, (statement) -> {
			Array array = statement.getConnection().createArrayOf("varchar", ids.toArray());
			statement.setArray(1, array);
			List<SessionRow> rows = new ArrayList<>(ids.size());
			try (ResultSet columns = statement.executeQuery()) {
				while (columns.next()) {
					rows.add(SessionRow.read(columns));
				}
			}
			return rows;
		});
	}

	boolean insert(SessionRecord session, boolean redisPending, @Nullable String persistedWrites) {
		return execute("insert", this.insert,
				(statement) -> insert(statement, session, SessionRow.ACTIVE, redisPending, persistedWrites));
	}

	boolean insertEnded(String id, Instant now, boolean redisPending) {
		SessionRecord ended = new SessionRecord(id, 1, now, now, Duration.ofSeconds(1), null, Map.of());
		return execute("end", this.insert,
				(statement) -> insert(statement, ended, SessionRow.ENDED, redisPending, null));
	}

	private boolean insert(PreparedStatement statement, SessionRecord session, int state, boolean redisPending,
			@Nullable String persistedWrites) throws SQLException {
		Duration grace = this.settings.graceFor(session.maxInactiveInterval());
		statement.setString(1, session.id());
		statement.setLong(2, session.version());
		statement.setString(3, SessionRow.principalColumn(session.principalName()));
		statement.setLong(4, session.creationTime().toEpochMilli());
		statement.setLong(5, session.lastAccessedTime().toEpochMilli());
		statement.setLong(6, session.maxInactiveInterval().toSeconds());
		statement.setLong(7, SessionRow.expiresAt(session.lastAccessedTime(), session.maxInactiveInterval(), grace));
		statement.setBytes(8, AttributesPayload.encode(session.attributes()));
		statement.setInt(9, state);
		statement.setBoolean(10, redisPending);
		statement.setString(11, persistedWrites);
		try {
			return statement.executeUpdate() == 1;
		}
		catch (SQLException ex) {
			if ("23505".equals(ex.getSQLState())) {
				// H2 has no insert that passes over a duplicate.
				return false;
			}
			throw ex;
		}
	}

	boolean update(SessionRecord next, SessionChange.@Nullable Principal principal, boolean redisPending,
			@Nullable String persistedWrites) {
		String sql = (principal != null) ? UPDATE_WITH_PRINCIPAL : UPDATE_KEEPING_PRINCIPAL;
		return execute("update", sql, (statement) -> {
			Duration interval = next.maxInactiveInterval();
			int i = 1;
			statement.setLong(i++, next.version());
			statement.setLong(i++, next.lastAccessedTime().toEpochMilli());
			statement.setLong(i++, interval.toSeconds());
			statement.setLong(i++, next.lastAccessedTime().toEpochMilli());
			statement.setLong(i++, interval.plus(this.settings.graceFor(interval)).toMillis());
			statement.setBytes(i++, AttributesPayload.encode(next.attributes()));
			statement.setBoolean(i++, redisPending);
			statement.setString(i++, persistedWrites);
			if (principal != null) {
				statement.setString(i++, SessionRow.principalColumn(principal.name()));
			}
			statement.setString(i++, next.id());
			statement.setLong(i, next.version() - 1);
			return statement.executeUpdate() == 1;
		});
	}

	OptionalLong end(String id, boolean redisPending) {
		return execute("end", this.end, (statement) -> {
			statement.setBytes(1, NO_ATTRIBUTES);
			statement.setBoolean(2, redisPending);
			statement.setString(3, id);
			try (ResultSet version = statement.executeQuery()) {
				return version.next() ? OptionalLong.of(version.getLong(1)) : OptionalLong.empty();
			}
		});
	}

	/**
	 * End one row and insert another, both or none.
	 */
	boolean changeId(String oldId, SessionRecord next, boolean redisPending, @Nullable String persistedWrites) {
		try (Connection connection = this.dataSource.getConnection()) {
			connection.setAutoCommit(false);
			try (PreparedStatement end = connection.prepareStatement(END_OF_VERSION);
					PreparedStatement insert = connection.prepareStatement(this.insert)) {
				end.setBytes(1, NO_ATTRIBUTES);
				end.setBoolean(2, redisPending);
				end.setString(3, oldId);
				end.setLong(4, next.version() - 1);
				boolean changed = end.executeUpdate() == 1
						&& insert(insert, next, SessionRow.ACTIVE, redisPending, persistedWrites);
				if (changed) {
					connection.commit();
				}
				else {
					connection.rollback();
				}
				connection.setAutoCommit(true);
				return changed;
			}
			catch (SQLException | RuntimeException ex) {
				rollback(connection, ex);
				throw ex;
			}
		}
		catch (SQLException ex) {
			throw translated("change of id", ex);
		}
	}

	/**
	 * Roll back before autocommit is switched on again, since that alone would commit
	 * what was done so far.
	 */
	private static void rollback(Connection connection, Exception cause) {
		try {
			connection.rollback();
			connection.setAutoCommit(true);
		}
		catch (SQLException ex) {
			cause.addSuppressed(ex);
		}
	}

	void touch(Collection<Touch> touches) {
		execute("touch", TOUCH, (statement) -> {
			for (Touch touch : touches) {
				long time = touch.lastAccessedTime().toEpochMilli();
				statement.setLong(1, time);
				statement.setLong(2, time);
				statement.setLong(3, this.settings.touchGrace().toMillis());
				statement.setString(4, touch.id());
				statement.setLong(5, time);
				statement.addBatch();
			}
			return statement.executeBatch();
		});
	}

	Map<String, RowVersion> versions(Collection<String> ids) {
		return execute("versions", VERSIONS, (statement) -> {
			statement.setArray(1, statement.getConnection().createArrayOf("varchar", ids.toArray()));
			Map<String, RowVersion> versions = new HashMap<>();
			try (ResultSet columns = statement.executeQuery()) {
				while (columns.next()) {
					versions.put(columns.getString(1),
							new RowVersion(columns.getLong(2), columns.getInt(3) == SessionRow.ENDED));
				}
			}
			return versions;
		});
	}

	String persistedWrites(String id) {
		return execute("load", "select persisted_writes from resilient_session where session_id = ?", (statement) -> {
			statement.setString(1, id);
			try (ResultSet columns = statement.executeQuery()) {
				String tokens = columns.next() ? columns.getString(1) : null;
				return (tokens != null) ? tokens : "";
			}
		});
	}

	List<SessionRow> recent(RecentPage.@Nullable Position after, int limit, long now) {
		String from = (after != null) ? "and (expires_at, session_id) < (?, ?) " : "";
		return execute("load", RECENT.formatted(from), (statement) -> {
			int i = 1;
			statement.setLong(i++, now);
			if (after != null) {
				statement.setLong(i++, after.expiresAt());
				statement.setString(i++, after.id());
			}
			statement.setInt(i, limit);
			List<SessionRow> rows = new ArrayList<>();
			try (ResultSet columns = statement.executeQuery()) {
				while (columns.next()) {
					rows.add(SessionRow.read(columns));
				}
			}
			return rows;
		});
	}

	long time() {
		return execute("time", "select " + NOW, (statement) -> {
			try (ResultSet time = statement.executeQuery()) {
				time.next();
				return time.getLong(1);
			}
		});
	}

	@Nullable String acquireLease(String name, String owner, Duration duration) {
		boolean held = execute("lease", "update resilient_session_lease set owner = ?, expires_at = " + NOW + " + ? "
				+ "where name = ? and (owner = ? or expires_at < " + NOW + ")", (statement) -> {
					statement.setString(1, owner);
					statement.setLong(2, duration.toMillis());
					statement.setString(3, name);
					statement.setString(4, owner);
					return statement.executeUpdate() == 1;
				});
		return held ? leaseProgress(name) : null;
	}

	private String leaseProgress(String name) {
		return execute("lease", "select progress from resilient_session_lease where name = ?", (statement) -> {
			statement.setString(1, name);
			try (ResultSet columns = statement.executeQuery()) {
				String progress = columns.next() ? columns.getString(1) : null;
				return (progress != null) ? progress : "";
			}
		});
	}

	boolean renewLease(String name, String owner, Duration duration, String progress) {
		return execute("lease", "update resilient_session_lease set expires_at = " + NOW
				+ " + ?, progress = ? where name = ? and owner = ?", (statement) -> {
					statement.setLong(1, duration.toMillis());
					statement.setString(2, progress);
					statement.setString(3, name);
					statement.setString(4, owner);
					return statement.executeUpdate() == 1;
				});
	}

	void releaseLease(String name, String owner) {
		execute("lease", "update resilient_session_lease set owner = '', expires_at = 0 where name = ? and owner = ?",
				(statement) -> {
					statement.setString(1, name);
					statement.setString(2, owner);
					return statement.executeUpdate();
				});
	}

	/**
	 * Execute a statement, which may be executed twice: a connection from the pool may
	 * turn out to be dead, and nobody knows whether it died before the statement was
	 * executed or after.
	 */
	private <T> T execute(String task, String sql, Work<T> work) {
		long deadline = System.nanoTime() + this.settings.timeLimit().toNanos() / 2;
		for (int attempt = 1; true; attempt++) {
			try (Connection connection = this.dataSource.getConnection()) {
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
	 * A driver's message may hold the parameters of a statement, a session id among them:
	 * only those of failed connections are passed on.
	 */
	private RuntimeException translated(String task, SQLException ex) {
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
	private interface Work<T> {

		T with(PreparedStatement statement) throws SQLException;

	}

}

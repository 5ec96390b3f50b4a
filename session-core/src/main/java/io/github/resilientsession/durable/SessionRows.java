package io.github.resilientsession.durable;

import java.sql.Array;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;

import io.github.resilientsession.codec.AttributesPayload;
import io.github.resilientsession.record.SessionChange;
import io.github.resilientsession.record.SessionRecord;
import org.jspecify.annotations.Nullable;

/**
 * The statements about sessions that requests wait for.
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
			+ ", attributes = ?, redis_pending = (redis_pending or ?)%s "
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

	private static final byte[] NO_ATTRIBUTES = AttributesPayload.encode(Map.of());

	private final Statements statements;

	private final DurableSettings settings;

	private final String insert;

	private final String end;

	SessionRows(Statements statements, DurableSettings settings) {
		this.statements = statements;
		this.settings = settings;
		this.insert = settings.platform()
			.insert("resilient_session", SessionRow.COLUMNS, "?, ?, ?, ?, ?, ?, ?, ?, ?, ?");
		this.end = settings.platform().returning("version", END);
	}

	List<SessionRow> load(Collection<String> ids) {
		return this.statements.execute("load", LOAD, (statement) -> {
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

	boolean insert(SessionRecord session, boolean redisPending) {
		return this.statements.execute("insert", this.insert,
				(statement) -> insert(statement, session, SessionRow.ACTIVE, redisPending));
	}

	boolean insertEnded(String id, Instant now, boolean redisPending) {
		SessionRecord ended = new SessionRecord(id, 1, now, now, Duration.ofSeconds(1), null, Map.of());
		return this.statements.execute("end", this.insert,
				(statement) -> insert(statement, ended, SessionRow.ENDED, redisPending));
	}

	private boolean insert(PreparedStatement statement, SessionRecord session, int state, boolean redisPending)
			throws SQLException {
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
		return Statements.inserted(statement);
	}

	boolean update(SessionRecord next, SessionChange.@Nullable Principal principal, boolean redisPending) {
		String sql = (principal != null) ? UPDATE_WITH_PRINCIPAL : UPDATE_KEEPING_PRINCIPAL;
		return this.statements.execute("update", sql, (statement) -> {
			Duration interval = next.maxInactiveInterval();
			int i = 1;
			statement.setLong(i++, next.version());
			statement.setLong(i++, next.lastAccessedTime().toEpochMilli());
			statement.setLong(i++, interval.toSeconds());
			statement.setLong(i++, next.lastAccessedTime().toEpochMilli());
			statement.setLong(i++, interval.plus(this.settings.graceFor(interval)).toMillis());
			statement.setBytes(i++, AttributesPayload.encode(next.attributes()));
			statement.setBoolean(i++, redisPending);
			if (principal != null) {
				statement.setString(i++, SessionRow.principalColumn(principal.name()));
			}
			statement.setString(i++, next.id());
			statement.setLong(i, next.version() - 1);
			return statement.executeUpdate() == 1;
		});
	}

	OptionalLong end(String id, boolean redisPending) {
		return this.statements.execute("end", this.end, (statement) -> {
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
	boolean changeId(String oldId, SessionRecord next, boolean redisPending) {
		try (Connection connection = this.statements.connection()) {
			connection.setAutoCommit(false);
			try (PreparedStatement end = connection.prepareStatement(END_OF_VERSION);
					PreparedStatement insert = connection.prepareStatement(this.insert)) {
				end.setBytes(1, NO_ATTRIBUTES);
				end.setBoolean(2, redisPending);
				end.setString(3, oldId);
				end.setLong(4, next.version() - 1);
				boolean changed = end.executeUpdate() == 1 && insert(insert, next, SessionRow.ACTIVE, redisPending);
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
			throw this.statements.translated("change of id", ex);
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
		this.statements.execute("touch", TOUCH, (statement) -> {
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

}

package io.github.resilientsession.durable;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.function.Function;
import java.util.function.IntFunction;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

import io.github.resilientsession.codec.AttributesPayload;
import io.github.resilientsession.durable.RowWrite.Change;
import io.github.resilientsession.durable.RowWrite.End;
import io.github.resilientsession.durable.RowWrite.State;
import io.github.resilientsession.record.SessionChange;
import io.github.resilientsession.record.SessionRecord;
import org.jspecify.annotations.Nullable;

import org.springframework.dao.DataAccessException;
import org.springframework.dao.QueryTimeoutException;

/**
 * The statements about sessions that requests wait for, and those that have to be as
 * cheap: autocommit JDBC.
 */
final class SessionRows {

	static final String BUCKET = "((%s + " + (SessionRow.EXPIRY_BUCKET_MILLIS - 1) + ") / "
			+ SessionRow.EXPIRY_BUCKET_MILLIS + ") * " + SessionRow.EXPIRY_BUCKET_MILLIS;

	private static final String TIME = "select cast(extract(epoch from current_timestamp) * 1000 as bigint), "
			+ "count(*) from resilient_session where 1 = 0";

	private static final String VERSIONS = "select session_id, version, state from resilient_session "
			+ "where session_id = any(?)";

	private static final String LOAD = "select " + SessionRow.COLUMNS
			+ " from resilient_session where session_id = any(?)";

	/**
	 * Active rows that have not expired, back from a place in the index. By comparing
	 * with places only: without statistics, as of a table that was just filled,
	 * PostgreSQL takes few rows to equal anything, and would read and sort all of them
	 * rather than follow the index.
	 */
	private static final String RECENT = "select " + SessionRow.COLUMNS + " from resilient_session where "
			+ "(state, expires_at) > (0, ?) and (state, expires_at, session_id) < (0, ?, ?) "
			+ "order by state desc, expires_at desc, session_id desc limit ?";

	/**
	 * Last access and expiry only move forward here, unless the interval itself shrinks.
	 */
	private static final String UPDATE = "update resilient_session set version = ?, "
			+ "last_accessed_at = greatest(last_accessed_at, ?), max_inactive_seconds = ?, expires_at = "
			+ BUCKET.formatted("greatest(last_accessed_at, ?) + ?")
			+ ", attributes = ?, redis_pending = (redis_pending or ?), "
			+ "persisted_writes = right(concat_ws(' ', persisted_writes, cast(? as varchar)), 2048), "
			+ "principal_name = case when ? then cast(? as varchar) else principal_name end "
			+ "where session_id = ? and version = ? and state = 0";

	/**
	 * A stale copy in Redis can live as long as the session could have. The row must be
	 * there for as long, to say that it ended.
	 */
	private static final String END = "update resilient_session set state = 1, version = version + 1, "
			+ "principal_name = null, attributes = ?, redis_pending = (redis_pending or ?), moved_to = ?, "
			+ "expires_at = greatest(expires_at, "
			+ BUCKET.formatted("? + max_inactive_seconds * 1000 + " + SessionRow.KEPT_AFTER_END.toMillis())
			+ ") where session_id = ? and state = 0";

	private static final String EXPIRE = "update resilient_session set state = 1, version = version + 1, "
			+ "principal_name = null, attributes = ?, expires_at = ? "
			+ "where session_id = ? and version = ? and last_accessed_at = ? and state = 0";

	private static final String TOUCH = "update resilient_session set last_accessed_at = ?, expires_at = "
			+ BUCKET.formatted("? + max_inactive_seconds * 1000 + least(?, max_inactive_seconds * 1000 / "
					+ DurableSettings.GRACE_DIVISOR + ")")
			+ " where session_id = (select session_id from resilient_session where session_id = ? "
			+ "for update skip locked) and state = 0 and last_accessed_at < ?";

	private static final String SETTLE = "update resilient_session set redis_pending = false "
			+ "where session_id = (select session_id from resilient_session where version = ? and session_id = ? "
			+ "for update skip locked)";

	/**
	 * After a condition on the id: passes over a row that another transaction has locked,
	 * and locks none that is not wanted.
	 */
	private static final String UNLESS_LOCKED = " and ctid = (select ctid from resilient_session "
			+ "where session_id = ? and state = 0%s for update skip locked)";

	static final byte[] NO_ATTRIBUTES = AttributesPayload.encode(Map.of());

	private final Statements statements;

	private final DurableSettings settings;

	/**
	 * {@code null} where the database has no statement for it.
	 */
	private final @Nullable GroupedRows grouped;

	private final String insert;

	private final String insertKeeping;

	private final String update;

	private final String updateUnlessLocked;

	private final String end;

	private final String endUnlessLocked;

	private final String endOfVersion;

	SessionRows(Statements statements, DurableSettings settings) {
		this.statements = statements;
		this.settings = settings;
		this.grouped = (settings.platform() == Platform.POSTGRESQL) ? new GroupedRows(statements, settings.timeLimit(),
				this::updateUnlessLocked, this::insertOne, this::endUnlessLocked) : null;
		this.insert = insert("?");
		this.insertKeeping = insert("right(concat_ws(' ', (select persisted_writes from resilient_session "
				+ "where session_id = ?), cast(? as varchar)), 2048)");
		this.update = returningTokens(UPDATE);
		this.updateUnlessLocked = returningTokens(UPDATE + UNLESS_LOCKED.formatted(" and version = ?"));
		this.end = returningVersion(END);
		this.endUnlessLocked = returningVersion(END + UNLESS_LOCKED.formatted(""));
		this.endOfVersion = returningTokens(END + " and version = ?");
	}

	private String returningTokens(String update) {
		return this.settings.platform().returning("persisted_writes", update);
	}

	private String returningVersion(String update) {
		return this.settings.platform().returning("version", update);
	}

	private String insert(String persistedWrites) {
		return this.settings.platform()
			.insert("resilient_session", SessionRow.COLUMNS,
					"?, ?, ?, ?, ?, ?, ?, ?, ?, ?, " + persistedWrites + ", ?");
	}

	/**
	 * The database's time in milliseconds since the epoch; fails if it has no table.
	 */
	long time() {
		return this.statements.execute("probe", TIME, (statement) -> {
			try (ResultSet time = statement.executeQuery()) {
				time.next();
				return time.getLong(1);
			}
		});
	}

	List<SessionRow> load(Collection<String> ids) {
		List<SessionRow> rows = new ArrayList<>(ids.size());
		query("load", LOAD, (statement) -> setIds(statement, ids), (columns) -> rows.add(SessionRow.read(columns)));
		return rows;
	}

	Map<String, RowVersion> versions(Collection<String> ids) {
		Map<String, RowVersion> versions = new HashMap<>();
		query("versions", VERSIONS, (statement) -> setIds(statement, ids), (columns) -> versions
			.put(columns.getString(1), new RowVersion(columns.getLong(2), columns.getInt(3) == SessionRow.ENDED)));
		return versions;
	}

	/**
	 * Active rows that have not expired, those that expire last first.
	 */
	List<SessionRow> recent(Instant now, RecentPage.Position before, int limit) {
		List<SessionRow> rows = new ArrayList<>(limit);
		query("load of recent sessions", RECENT, (statement) -> {
			statement.setLong(1, now.toEpochMilli());
			statement.setLong(2, before.expiresAt());
			statement.setString(3, before.id());
			statement.setInt(4, limit);
		}, (columns) -> rows.add(SessionRow.read(columns)));
		return rows;
	}

	private static void setIds(PreparedStatement statement, Collection<String> ids) throws SQLException {
		statement.setArray(1, statement.getConnection().createArrayOf("varchar", ids.toArray()));
	}

	private void query(String task, String sql, Binder binder, RowReader reader) {
		this.statements.execute(task, sql, (statement) -> {
			binder.bind(statement);
			try (ResultSet columns = statement.executeQuery()) {
				while (columns.next()) {
					reader.read(columns);
				}
			}
			return true;
		});
	}

	boolean insert(SessionRecord session, boolean redisPending, @Nullable String persistedWrites, Committed committed) {
		State row = State.insert(session, 0, redisPending, persistedWrites, this.settings);
		return inGroup(row.bytes(), (grouped) -> grouped.insert(row, committed), false) || insertOne(row);
	}

	private boolean insertOne(State row) {
		return this.statements.execute("insert", this.insert, (statement) -> {
			setActive(statement, row);
			statement.setString(11, row.persistedWrites());
			statement.setString(12, null);
			return Statements.inserted(statement);
		});
	}

	/**
	 * Do something together with other requests. What was not done, because the row was
	 * locked, another request's row refused, or its turn did not come, is to be done
	 * alone: then it waits for the lock, and its failures are its own.
	 * @param absent what it returns if it was not done
	 */
	private <R> R inGroup(int bytes, Function<GroupedRows, R> work, R absent) {
		if (this.grouped == null || bytes > GroupedRows.MAX_BYTES) {
			return absent;
		}
		long deadline = System.nanoTime() + this.settings.timeLimit().toNanos();
		try {
			R done = work.apply(this.grouped);
			if (done.equals(absent) && System.nanoTime() - deadline > 0) {
				throw new QueryTimeoutException("The database took longer than " + this.settings.timeLimit().toMillis()
						+ " ms for a write that it did not make");
			}
			return done;
		}
		catch (GroupCommit.TurnTimeoutException ex) {
			return absent;
		}
		catch (DataAccessException ex) {
			if (!mayBeAnothers(ex)) {
				throw ex;
			}
			return absent;
		}
	}

	/**
	 * Whether a statement may have failed because of one of its rows: refused data, a
	 * conflict with another transaction, a lock.
	 */
	private static boolean mayBeAnothers(DataAccessException failure) {
		return DurableTier.isRefusal(failure) || (failure.getRootCause() instanceof SQLException sql
				&& sql.getSQLState() != null && sql.getSQLState().matches("40.*|55P03|57014"));
	}

	boolean insertEnded(String id, @Nullable String movedTo, Instant now, Duration keep, boolean redisPending) {
		return this.statements.execute("end", this.insert, (statement) -> {
			setEnded(statement, id, movedTo, now, keep, redisPending);
			return Statements.inserted(statement);
		});
	}

	private static void setEnded(PreparedStatement statement, String id, @Nullable String movedTo, Instant now,
			Duration keep, boolean redisPending) throws SQLException {
		statement.setString(1, id);
		statement.setLong(2, 1);
		statement.setString(3, null);
		statement.setLong(4, now.toEpochMilli());
		statement.setLong(5, now.toEpochMilli());
		statement.setLong(6, keep.toSeconds());
		statement.setLong(7, SessionRow.expiresAt(now, keep, SessionRow.KEPT_AFTER_END));
		statement.setBytes(8, NO_ATTRIBUTES);
		statement.setInt(9, SessionRow.ENDED);
		statement.setBoolean(10, redisPending);
		statement.setString(11, null);
		statement.setString(12, movedTo);
	}

	private static void setActive(PreparedStatement statement, State row) throws SQLException {
		statement.setString(1, row.id());
		statement.setLong(2, row.version());
		statement.setString(3, row.principal());
		statement.setLong(4, row.created());
		statement.setLong(5, row.accessed());
		statement.setLong(6, row.seconds());
		statement.setLong(7, row.expiresAt());
		statement.setBytes(8, row.attributes());
		statement.setInt(9, SessionRow.ACTIVE);
		statement.setBoolean(10, row.redisPending());
	}

	/**
	 * @return the tokens that the row has afterwards, or empty if it was not of that
	 * version
	 */
	Optional<Set<String>> update(SessionRecord next, long expectedVersion, SessionChange.@Nullable Principal principal,
			boolean redisPending, @Nullable String persistedWrites, Committed committed) {
		State update = State.update(next, expectedVersion, principal, redisPending, persistedWrites, this.settings);
		Optional<Set<String>> updated = inGroup(update.bytes(), (grouped) -> grouped.update(update, committed),
				Optional.empty());
		return updated.isPresent() ? updated : updateOne(update);
	}

	private Optional<Set<String>> updateOne(State update) {
		return this.statements.execute("update", this.update, (statement) -> {
			setUpdate(statement, update);
			return tokens(statement);
		});
	}

	private Optional<Set<String>> updateUnlessLocked(State update) {
		return this.statements.execute("update", this.updateUnlessLocked, (statement) -> {
			setUpdate(statement, update);
			statement.setString(13, update.id());
			statement.setLong(14, update.expectedVersion());
			return tokens(statement);
		});
	}

	private static void setUpdate(PreparedStatement statement, State update) throws SQLException {
		statement.setLong(1, update.version());
		statement.setLong(2, update.accessed());
		statement.setLong(3, update.seconds());
		statement.setLong(4, update.accessed());
		statement.setLong(5, update.life());
		statement.setBytes(6, update.attributes());
		statement.setBoolean(7, update.redisPending());
		statement.setString(8, update.persistedWrites());
		statement.setBoolean(9, update.hasPrincipal());
		statement.setString(10, update.principal());
		statement.setString(11, update.id());
		statement.setLong(12, update.expectedVersion());
	}

	private static Optional<Set<String>> tokens(PreparedStatement returningTokens) throws SQLException {
		try (ResultSet row = returningTokens.executeQuery()) {
			return row.next() ? Optional.of(SessionRow.tokens(row.getString(1))) : Optional.empty();
		}
	}

	OptionalLong end(String id, @Nullable String movedTo, Instant now, boolean redisPending) {
		End end = new End(id, movedTo, now.toEpochMilli(), redisPending);
		OptionalLong ended = inGroup(0, (grouped) -> grouped.end(end), OptionalLong.empty());
		return ended.isPresent() ? ended : endOne(end);
	}

	private OptionalLong endOne(End end) {
		return this.statements.execute("end", this.end, (statement) -> {
			setEnd(statement, end);
			return version(statement);
		});
	}

	private OptionalLong endUnlessLocked(End end) {
		return this.statements.execute("end", this.endUnlessLocked, (statement) -> {
			setEnd(statement, end);
			statement.setString(6, end.id());
			return version(statement);
		});
	}

	private static void setEnd(PreparedStatement statement, End end) throws SQLException {
		statement.setBytes(1, NO_ATTRIBUTES);
		statement.setBoolean(2, end.redisPending());
		statement.setString(3, end.movedTo());
		statement.setLong(4, end.now());
		statement.setString(5, end.id());
	}

	private static OptionalLong version(PreparedStatement returningVersion) throws SQLException {
		try (ResultSet version = returningVersion.executeQuery()) {
			return version.next() ? OptionalLong.of(version.getLong(1)) : OptionalLong.empty();
		}
	}

	/**
	 * End one row and insert another, both or none.
	 * @return the tokens that the new row has, or empty if the old one was not of that
	 * version
	 */
	Optional<Set<String>> changeId(String oldId, long expectedVersion, SessionRecord next, Instant now,
			boolean redisPending, @Nullable String persistedWrites, Committed committed) {
		Change change = new Change(oldId,
				State.insert(next, expectedVersion, redisPending, persistedWrites, this.settings), now.toEpochMilli());
		Optional<Set<String>> changed = inGroup(change.next().bytes(), (grouped) -> grouped.changeId(change, committed),
				Optional.empty());
		return changed.isPresent() ? changed : changeIdAlone(change);
	}

	private Optional<Set<String>> changeIdAlone(Change change) {
		State next = change.next();
		return both((connection) -> {
			Optional<Set<String>> earlier;
			try (PreparedStatement end = connection.prepareStatement(this.endOfVersion)) {
				setEnd(end, new End(change.oldId(), next.id(), change.now(), next.redisPending()));
				end.setLong(6, next.expectedVersion());
				earlier = tokens(end);
			}
			if (earlier.isEmpty()) {
				return earlier;
			}
			try (PreparedStatement insert = connection.prepareStatement(this.insertKeeping)) {
				setActive(insert, next);
				insert.setString(11, change.oldId());
				insert.setString(12, next.persistedWrites());
				insert.setString(13, null);
				Set<String> tokens = new HashSet<>(earlier.get());
				tokens.addAll(SessionRow.tokens(next.persistedWrites()));
				return Statements.inserted(insert) ? Optional.of(tokens) : Optional.empty();
			}
		});
	}

	/**
	 * Insert an ended row and an active one, both or none.
	 */
	boolean insertChanged(String oldId, Duration keep, SessionRecord next, Instant now, boolean redisPending,
			@Nullable String persistedWrites) {
		return both((connection) -> {
			try (PreparedStatement end = connection.prepareStatement(this.insert);
					PreparedStatement active = connection.prepareStatement(this.insert)) {
				setEnded(end, oldId, next.id(), now, keep, redisPending);
				setActive(active, State.insert(next, 0, redisPending, persistedWrites, this.settings));
				active.setString(11, persistedWrites);
				active.setString(12, null);
				boolean done = Statements.inserted(end) && Statements.inserted(active);
				return done ? Optional.of(true) : Optional.empty();
			}
		}).isPresent();
	}

	/**
	 * Do two things in one transaction.
	 * @param work does both, and returns nothing if one could not be done
	 */
	private <T> Optional<T> both(TwoStatements<T> work) {
		try (Connection connection = this.statements.connection()) {
			connection.setAutoCommit(false);
			try {
				Optional<T> done = work.on(connection);
				if (done.isPresent()) {
					connection.commit();
				}
				else {
					connection.rollback();
				}
				connection.setAutoCommit(true);
				return done;
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

	/**
	 * End a row that has expired, unless it was written or touched since it was read.
	 */
	boolean expire(SessionRecord row, Instant now) {
		return this.statements.execute("expire", EXPIRE, (statement) -> {
			statement.setBytes(1, NO_ATTRIBUTES);
			statement.setLong(2, SessionRow.rounded(now.plus(SessionRow.KEPT_AFTER_END)));
			statement.setString(3, row.id());
			statement.setLong(4, row.version());
			statement.setLong(5, row.lastAccessedTime().toEpochMilli());
			return statement.executeUpdate() == 1;
		});
	}

	/**
	 * Touch rows.
	 * @return the ids of those that have changed
	 */
	Set<String> touch(List<Touch> touches) {
		int[] changed = this.statements.execute("touch", TOUCH, (statement) -> {
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
		return changed(changed, (i) -> touches.get(i).id());
	}

	/**
	 * Take back the marks of rows of which Redis has been told. A row that is being
	 * written keeps its mark: it would most likely not be of that version when its turn
	 * comes, and so nobody waits while other rows are locked.
	 * @return the ids of those that are of the version that it was told
	 */
	Set<String> settle(List<PendingRow> told) {
		int[] changed = this.statements.execute("settle", SETTLE, (statement) -> {
			for (PendingRow row : told) {
				statement.setLong(1, row.version());
				statement.setString(2, row.id());
				statement.addBatch();
			}
			return statement.executeBatch();
		});
		return changed(changed, (i) -> told.get(i).id());
	}

	private static Set<String> changed(int[] changed, IntFunction<String> id) {
		return IntStream.range(0, changed.length)
			.filter((i) -> changed[i] != 0)
			.mapToObj(id)
			.collect(Collectors.toSet());
	}

	/**
	 * Two statements that only make sense together.
	 */
	@FunctionalInterface
	private interface TwoStatements<T> {

		Optional<T> on(Connection connection) throws SQLException;

	}

	/**
	 * Sets what a query asks for.
	 */
	@FunctionalInterface
	private interface Binder {

		void bind(PreparedStatement query) throws SQLException;

	}

	/**
	 * What is done with each row that a query finds.
	 */
	@FunctionalInterface
	private interface RowReader {

		void read(ResultSet columns) throws SQLException;

	}

}

package io.github.resilientsession.durable;

import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.function.Function;

import io.github.resilientsession.durable.GroupedStatement.Column;
import io.github.resilientsession.durable.GroupedStatement.ColumnType;
import io.github.resilientsession.durable.RowWrite.Change;
import io.github.resilientsession.durable.RowWrite.End;
import io.github.resilientsession.durable.RowWrite.State;
import org.jspecify.annotations.Nullable;

/**
 * What requests do to their rows at the same time, with one statement and one commit for
 * all of the same kind. Rows that another transaction has locked are passed over, so that
 * nobody waits for another's row; but an insert waits for another transaction that is
 * inserting a row of the same id.
 */
final class GroupedRows {

	private static final String LOCKED = "locked as (select found.place, wanted.* from %%s "
			+ "cross join lateral (select ctid as place from resilient_session where session_id = wanted.%s and state = 0 "
			+ "%sfor update skip locked) as found)";

	private static final String UPDATE = "with " + LOCKED.formatted("id", "and version = wanted.expected ")
			+ " update resilient_session r set version = w.version, "
			+ "last_accessed_at = greatest(r.last_accessed_at, w.accessed), max_inactive_seconds = w.seconds, "
			+ "expires_at = " + SessionRows.BUCKET.formatted("greatest(r.last_accessed_at, w.accessed) + w.life")
			+ ", attributes = w.attributes, redis_pending = (r.redis_pending or w.pending), "
			+ "persisted_writes = right(concat_ws(' ', r.persisted_writes, w.tokens), 2048), "
			+ "principal_name = case when w.has_principal then w.principal else r.principal_name end "
			+ "from locked w where r.ctid = w.place and r.session_id = w.id returning w.position, r.persisted_writes";

	private static final String END = "update resilient_session r set state = 1, version = r.version + 1, "
			+ "principal_name = null, attributes = w.nothing, redis_pending = (r.redis_pending or w.pending), "
			+ "moved_to = w.%s, expires_at = greatest(r.expires_at, "
			+ SessionRows.BUCKET
				.formatted("w.now + r.max_inactive_seconds * 1000 + " + SessionRow.KEPT_AFTER_END.toMillis())
			+ ") from locked w where r.ctid = w.place and r.session_id = w.%s returning w.position, ";

	private static final String END_ANY = "with " + LOCKED.formatted("id", "") + " " + END.formatted("moved_to", "id")
			+ "r.version";

	private static final String INSERT = "insert into resilient_session (" + SessionRow.COLUMNS + ") select w.id, "
			+ "w.version, w.principal, w.created, w.accessed, w.seconds, "
			+ SessionRows.BUCKET.formatted("w.accessed + w.life") + ", w.attributes, 0, w.pending, ";

	/**
	 * Of two rows of one id, one is inserted. In the order of their ids, so that two
	 * nodes do not wait for each other.
	 */
	private static final String INSERT_NEW = "with w as (select distinct on (wanted.id) wanted.* from %s "
			+ "order by wanted.id, wanted.position), inserted as (" + INSERT
			+ "w.tokens, null from w on conflict do nothing returning session_id) "
			+ "select w.position from inserted join w on w.id = inserted.session_id";

	/**
	 * An insert that fails fails the whole, and so nothing is ended without it.
	 */
	private static final String CHANGE = "with " + LOCKED.formatted("old_id", "and version = wanted.expected ")
			+ ", ended as (" + END.formatted("id", "old_id") + "r.persisted_writes), inserted as (" + INSERT
			+ "right(concat_ws(' ', ended.persisted_writes, w.tokens), 2048), null "
			+ "from ended join locked w on w.position = ended.position returning session_id, persisted_writes) "
			+ "select w.position, inserted.persisted_writes from inserted join locked w on w.id = inserted.session_id";

	/**
	 * What is larger is written alone.
	 */
	static final int MAX_BYTES = 64 * 1024;

	private final GroupedStatement<State, Optional<Set<String>>> updates;

	private final GroupedStatement<State, Boolean> inserts;

	private final GroupedStatement<Change, Optional<Set<String>>> changes;

	private final GroupedStatement<End, OptionalLong> ends;

	/**
	 * Create the statements.
	 * @param updateOne updates a row that comes alone, unless it is locked
	 * @param insertOne inserts a row that comes alone
	 * @param endOne ends a row that comes alone, unless it is locked
	 */
	GroupedRows(Statements statements, Duration timeLimit, Function<State, Optional<Set<String>>> updateOne,
			Function<State, Boolean> insertOne, Function<End, OptionalLong> endOne) {
		Duration patience = timeLimit.dividedBy(2);
		List<Column<State>> updated = state(Function.identity());
		updated.add(new Column<>("has_principal", ColumnType.FLAG, State::hasPrincipal));
		List<Column<Change>> changed = state(Change::next);
		changed.add(new Column<>("created", ColumnType.NUMBER, (change) -> change.next().created()));
		changed.add(new Column<>("old_id", ColumnType.TEXT, Change::oldId));
		changed.add(new Column<>("now", ColumnType.NUMBER, Change::now));
		changed.add(new Column<>("nothing", ColumnType.BYTES, (change) -> SessionRows.NO_ATTRIBUTES));
		List<Column<State>> inserted = state(Function.identity());
		inserted.add(new Column<>("created", ColumnType.NUMBER, State::created));
		List<Column<End>> ended = List.of(new Column<>("id", ColumnType.TEXT, End::id),
				new Column<>("moved_to", ColumnType.TEXT, End::movedTo),
				new Column<>("now", ColumnType.NUMBER, End::now),
				new Column<>("pending", ColumnType.FLAG, End::redisPending),
				new Column<>("nothing", ColumnType.BYTES, (end) -> SessionRows.NO_ATTRIBUTES));
		this.updates = new GroupedStatement<>(statements, "update", UPDATE, updated, State::bytes, Optional.empty(),
				GroupedRows::tokens, updateOne, patience);
		this.inserts = new GroupedStatement<>(statements, "insert", INSERT_NEW, inserted, State::bytes, false,
				(row) -> true, insertOne, patience);
		this.changes = new GroupedStatement<>(statements, "change of id", CHANGE, changed,
				(change) -> change.next().bytes(), Optional.empty(), GroupedRows::tokens, null, patience);
		this.ends = new GroupedStatement<>(statements, "end", END_ANY, ended, (end) -> 0, OptionalLong.empty(),
				(row) -> OptionalLong.of(row.getLong(2)), endOne, patience);
	}

	private static <T> List<Column<T>> state(Function<T, State> of) {
		List<Column<T>> columns = new ArrayList<>();
		columns.add(column("id", ColumnType.TEXT, of, State::id));
		columns.add(column("expected", ColumnType.NUMBER, of, State::expectedVersion));
		columns.add(column("version", ColumnType.NUMBER, of, State::version));
		columns.add(column("accessed", ColumnType.NUMBER, of, State::accessed));
		columns.add(column("seconds", ColumnType.NUMBER, of, State::seconds));
		columns.add(column("life", ColumnType.NUMBER, of, State::life));
		columns.add(column("attributes", ColumnType.BYTES, of, State::attributes));
		columns.add(column("pending", ColumnType.FLAG, of, State::redisPending));
		columns.add(column("tokens", ColumnType.TEXT, of, State::persistedWrites));
		columns.add(column("principal", ColumnType.TEXT, of, State::principal));
		return columns;
	}

	private static <T> Column<T> column(String name, ColumnType type, Function<T, State> of,
			Function<State, @Nullable Object> value) {
		return new Column<>(name, type, (wanted) -> value.apply(of.apply(wanted)));
	}

	private static Optional<Set<String>> tokens(ResultSet row) throws SQLException {
		return Optional.of(SessionRow.tokens(row.getString(2)));
	}

	/**
	 * Update a row.
	 * @return the tokens that it has afterwards; empty if it was not updated, since it is
	 * not of that version or was locked
	 */
	Optional<Set<String>> update(State update, Committed committed) {
		return this.updates.execute(update, (tokens) -> tokens.map(committed::begin).orElse(null));
	}

	/**
	 * Insert a row.
	 * @return whether there was none of that id
	 */
	boolean insert(State row, Committed committed) {
		return this.inserts.execute(row,
				(inserted) -> inserted ? committed.begin(SessionRow.tokens(row.persistedWrites())) : null);
	}

	/**
	 * End one row and insert another, both or none.
	 * @return the tokens that the new row has; empty if it was not done, since the old
	 * one is not of that version or was locked
	 */
	Optional<Set<String>> changeId(Change change, Committed committed) {
		return this.changes.execute(change, (tokens) -> tokens.map(committed::begin).orElse(null));
	}

	/**
	 * End a row.
	 * @return the version with which it ended; empty if there is none that is active, or
	 * if it was locked
	 */
	OptionalLong end(End end) {
		return this.ends.execute(end, null);
	}

}

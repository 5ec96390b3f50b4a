package io.github.resilientsession.durable;

import java.sql.SQLException;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.stream.Collectors;

import javax.sql.DataSource;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import io.github.resilientsession.codec.CorruptPayloadException;
import io.github.resilientsession.record.ClusterClock;
import io.github.resilientsession.record.Lookup;
import io.github.resilientsession.record.SessionChange;
import io.github.resilientsession.record.SessionHash;
import io.github.resilientsession.record.SessionRecord;
import io.github.resilientsession.record.SessionStoreListener;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

import org.springframework.data.domain.Limit;

/**
 * The door to the durable tier. Every write commits in a transaction of its own, whatever
 * transaction the application is in. Failures are Spring's {@code DataAccessException}s
 * or {@code TransactionException}s. Safe for use by many threads.
 */
public final class DurableTier implements AutoCloseable {

	private static final Logger logger = LoggerFactory.getLogger(DurableTier.class);

	private static final Duration EXPIRED_FOR = Duration.ofSeconds(5);

	private final TimeLimitedDataSource dataSource;

	private final SessionRows rows;

	private final SchemaVersion schema;

	private final Leases leases;

	private final PersistenceUnit unit;

	private final DurableSettings settings;

	private final Clock clock;

	private final SessionStoreListener listener;

	private volatile long clockOffset;

	private final Cache<String, Boolean> reported = Caffeine.newBuilder()
		.maximumSize(1_000)
		.expireAfterWrite(Duration.ofHours(1))
		.build();

	/**
	 * Create a tier; the database may be down.
	 * @param dataSource the database, not closed by the tier
	 * @param settings how the tier behaves
	 * @param clock the time
	 * @param listener is told of rows that cannot be read
	 */
	public DurableTier(DataSource dataSource, DurableSettings settings, Clock clock, SessionStoreListener listener) {
		this.dataSource = new TimeLimitedDataSource(dataSource, settings.timeLimit());
		Statements statements = new Statements(this.dataSource, settings.timeLimit());
		this.rows = new SessionRows(statements, settings);
		this.schema = new SchemaVersion(statements);
		this.leases = new Leases(statements, settings.platform());
		this.unit = new PersistenceUnit(this.dataSource, settings.platform());
		this.settings = settings;
		this.clock = clock;
		this.listener = listener;
	}

	/**
	 * Load sessions with one statement.
	 * @param ids the sessions' ids
	 * @return for every id a hit, expired, ended, or a miss (also if it cannot be read)
	 */
	public Map<String, Lookup> load(Collection<String> ids) {
		return load(ids, false);
	}

	/**
	 * Load a session that a write is to be merged into: one that has expired counts,
	 * since its last touch may not have reached the row.
	 * @param id the session's id
	 * @return a hit, a miss or ended
	 */
	public Lookup loadForMerge(String id) {
		return load(List.of(id), true).getOrDefault(id, new Lookup.Miss());
	}

	private Map<String, Lookup> load(Collection<String> ids, boolean expiredToo) {
		Map<String, Lookup> found = new HashMap<>();
		ids.forEach((id) -> found.put(id, new Lookup.Miss()));
		for (SessionRow row : this.rows.load(ids)) {
			if (row.isEnded()) {
				found.put(row.id(), new Lookup.Ended(row.movedTo(), row.persisted()));
			}
			else {
				SessionRecord session = read(row);
				boolean alive = expiredToo || !row.isExpiredAt(this.clock.instant(), this.settings);
				if (session != null) {
					found.put(row.id(), alive ? new Lookup.Hit(session) : new Lookup.Expired(session));
				}
			}
		}
		return found;
	}

	private @Nullable SessionRecord read(SessionRow row) {
		try {
			return row.toRecord();
		}
		catch (CorruptPayloadException | IllegalArgumentException ex) {
			if (this.reported.asMap().putIfAbsent(row.id(), Boolean.TRUE) == null) {
				this.listener.onQuarantined();
				logger.warn(
						"The row of session {} cannot be read and counts as absent; it is left as it is. {}. Look "
								+ "for what else writes to the table, and for a newer version of this library in use.",
						SessionHash.of(row.id()), ex.getMessage());
			}
			return null;
		}
	}

	/**
	 * Tell the versions of sessions with one statement.
	 * @param ids the sessions' ids
	 * @return the versions by id; none for an id without a row
	 */
	public Map<String, RowVersion> versions(Collection<String> ids) {
		return this.rows.versions(ids);
	}

	/**
	 * Insert a session.
	 * @param session the session
	 * @param redisPending whether Redis is not going to be told
	 * @param persistedWrites what names the writes merged in that were made without the
	 * database, if any; at most 2048 characters
	 * @return false if there is a row of that id already
	 */
	public boolean insert(SessionRecord session, boolean redisPending, @Nullable String persistedWrites) {
		return insert(session, redisPending, persistedWrites, Committed.NOTHING);
	}

	/**
	 * Like {@link #insert(SessionRecord, boolean, String)}.
	 * @param session the session
	 * @param redisPending whether Redis is not going to be told
	 * @param persistedWrites what names the writes merged in that were made without the
	 * database, if any; at most 2048 characters
	 * @param committed begun if it is committed together with others
	 * @return false if there is a row of that id already
	 */
	public boolean insert(SessionRecord session, boolean redisPending, @Nullable String persistedWrites,
			Committed committed) {
		return this.rows.insert(session, redisPending, persistedWrites, committed);
	}

	/**
	 * Update a session, if it is active and of a certain version.
	 * @param next the session's next state
	 * @param expectedVersion the version that it must have
	 * @param principal its new principal, or {@code null} to keep the one it has
	 * @param redisPending whether Redis is not going to be told; a mark that is there
	 * stays
	 * @param persistedWrites what names the writes merged in that were made without the
	 * database, with a space between two, or {@code null} if there are none more than the
	 * row names; at most 2048 characters
	 * @return the tokens that the row names afterwards, or empty if the session was not
	 * of that version
	 */
	public Optional<Set<String>> update(SessionRecord next, long expectedVersion,
			SessionChange.@Nullable Principal principal, boolean redisPending, @Nullable String persistedWrites) {
		return update(next, expectedVersion, principal, redisPending, persistedWrites, Committed.NOTHING);
	}

	/**
	 * Like
	 * {@link #update(SessionRecord, long, SessionChange.Principal, boolean, String)}.
	 * @param next the session's next state
	 * @param expectedVersion the version that it must have
	 * @param principal its new principal, or {@code null} to keep the one it has
	 * @param redisPending whether Redis is not going to be told
	 * @param persistedWrites what names the writes merged in that were made without the
	 * database, or {@code null}
	 * @param committed begun if it is committed together with others
	 * @return the tokens that the row names afterwards, or empty if the session was not
	 * of that version
	 */
	public Optional<Set<String>> update(SessionRecord next, long expectedVersion,
			SessionChange.@Nullable Principal principal, boolean redisPending, @Nullable String persistedWrites,
			Committed committed) {
		return this.rows.update(next, expectedVersion, principal, redisPending, persistedWrites, committed);
	}

	/**
	 * Give a session another id, if it is of a certain version: end the old row, which
	 * from then on tells the new id, and insert a new one, both or none.
	 * @param oldId the id so far
	 * @param expectedVersion the version that it must have
	 * @param next the session's next state, with its new id
	 * @param redisPending whether Redis is not going to be told
	 * @param persistedWrites what names the writes merged in that were made without the
	 * database, or {@code null} if there are none more than the old row names; at most
	 * 2048 characters
	 * @return the tokens that the new row names, or empty if the old row was not active
	 * and of that version
	 */
	public Optional<Set<String>> changeId(String oldId, long expectedVersion, SessionRecord next, boolean redisPending,
			@Nullable String persistedWrites) {
		return changeId(oldId, expectedVersion, next, redisPending, persistedWrites, Committed.NOTHING);
	}

	/**
	 * Like {@link #changeId(String, long, SessionRecord, boolean, String)}.
	 * @param oldId the id so far
	 * @param expectedVersion the version that it must have
	 * @param next the session's next state, with its new id
	 * @param redisPending whether Redis is not going to be told
	 * @param persistedWrites what names the writes merged in that were made without the
	 * database, or {@code null}
	 * @param committed begun if it is committed together with others
	 * @return the tokens that the new row names, or empty if the old row was not active
	 * and of that version
	 */
	public Optional<Set<String>> changeId(String oldId, long expectedVersion, SessionRecord next, boolean redisPending,
			@Nullable String persistedWrites, Committed committed) {
		return this.rows.changeId(oldId, expectedVersion, next, this.clock.instant(), redisPending, persistedWrites,
				committed);
	}

	/**
	 * Give a session that has no row another id: insert an ended row and an active one,
	 * both or none.
	 * @param oldId the id so far
	 * @param keep how long the session can live under its old id: the ended row stays for
	 * that long
	 * @param next the session's next state, with its new id
	 * @param redisPending whether Redis is not going to be told
	 * @param persistedWrites what names the writes merged in that were made without the
	 * database, if any; at most 2048 characters
	 * @return false if there is a row of the old id, or of the new one
	 */
	public boolean insertChanged(String oldId, Duration keep, SessionRecord next, boolean redisPending,
			@Nullable String persistedWrites) {
		return this.rows.insertChanged(oldId, keep, next, this.clock.instant(), redisPending, persistedWrites);
	}

	/**
	 * End a session. Its row stays, without attributes, for longer than any copy of the
	 * session can live; where there is none, since plain Spring Session has created it,
	 * there is one afterwards, so that no slower request can store the session again.
	 * @param id the session's id
	 * @param redisPending whether Redis is not going to be told
	 * @param keep how long a session that has no row can live: its row stays for that
	 * long
	 * @return the version with which it ended, 1 if it had no row; empty if it had ended
	 * before
	 */
	public OptionalLong end(String id, boolean redisPending, Duration keep) {
		return end(id, null, redisPending, keep);
	}

	/**
	 * End the row of an id that a session had, like {@link #end}.
	 * @param id the id
	 * @param movedTo the id that the session has been given instead, which may have no
	 * row yet; {@code null} if the session is over
	 * @param redisPending whether Redis is not going to be told
	 * @param keep how long a session that has no row can live: its row stays for that
	 * long
	 * @return the version with which it ended, 1 if it had no row; empty if it had ended
	 * before
	 */
	public OptionalLong end(String id, @Nullable String movedTo, boolean redisPending, Duration keep) {
		Instant now = this.clock.instant();
		OptionalLong ended = this.rows.end(id, movedTo, now, redisPending);
		if (ended.isPresent()) {
			return ended;
		}
		if (this.rows.insertEnded(id, movedTo, now, keep, redisPending)) {
			return OptionalLong.of(1);
		}
		// Ended before, or stored by another request just now.
		return this.rows.end(id, movedTo, now, redisPending);
	}

	/**
	 * Find active sessions that have expired, for at least five seconds and longer than
	 * any touch may take to reach its row; those that expired first come first.
	 * @param now the time
	 * @param limit how many to return at most
	 * @return the sessions, those that cannot be read left out; fewer than the limit only
	 * if there are no more
	 */
	public List<SessionRecord> findExpired(Instant now, int limit) {
		List<SessionRecord> expired = new ArrayList<>();
		RecentPage.Position from = new RecentPage.Position(0, "");
		boolean more = true;
		while (more && expired.size() < limit) {
			RecentPage.Position after = from;
			Limit missing = Limit.of(limit - expired.size());
			List<SessionRow> page = this.unit
				.inTransaction((repository) -> repository.findExpiredAfter(now.toEpochMilli(),
						now.minus(EXPIRED_FOR).toEpochMilli(), this.settings.touchGrace().toMillis(),
						DurableSettings.GRACE_DIVISOR, after.expiresAt(), after.id(), missing));
			for (SessionRow row : page) {
				SessionRecord session = read(row);
				if (session != null) {
					expired.add(session);
				}
				from = new RecentPage.Position(row.expiresAt(), row.id());
			}
			more = page.size() == missing.max();
		}
		return expired;
	}

	/**
	 * End a session that has expired, unless it was written, touched or ended since.
	 * @param row the session as it was found
	 * @param now the time
	 * @return true for exactly one caller
	 */
	public boolean expire(SessionRecord row, Instant now) {
		return this.rows.expire(row, now);
	}

	/**
	 * Delete rows of sessions that ended so long ago that nothing can hold a copy any
	 * more; none of which Redis has yet to be told.
	 * @param now the time
	 * @param limit how many to delete at most
	 * @return how many were deleted
	 */
	public int purge(Instant now, int limit) {
		return this.unit.inTransaction((repository) -> {
			List<String> ids = repository.findPurgeable(now.toEpochMilli(), Limit.of(limit));
			return ids.isEmpty() ? 0 : repository.purge(ids, now.toEpochMilli());
		});
	}

	/**
	 * Find active sessions that have not expired, those that expire last first.
	 * @param after where to go on; {@code null} for the first page
	 * @param limit how many rows to look at
	 * @return some of the sessions
	 */
	public RecentPage findRecent(RecentPage.@Nullable Position after, int limit) {
		RecentPage.Position from = (after != null) ? after : new RecentPage.Position(Long.MAX_VALUE, "");
		Instant now = this.clock.instant();
		List<SessionRow> page = this.rows.recent(now, from, limit);
		List<SessionRecord> sessions = new ArrayList<>(page.size());
		for (SessionRow row : page) {
			SessionRecord session = row.isExpiredAt(now, this.settings) ? null : read(row);
			if (session != null) {
				sessions.add(session);
			}
		}
		SessionRow last = (page.size() == limit) ? page.get(limit - 1) : null;
		return new RecentPage(sessions, (last != null) ? new RecentPage.Position(last.expiresAt(), last.id()) : null);
	}

	/**
	 * Take a lease, or renew one's own. It runs by the database's clock.
	 * @param name what it is for; at most 64 characters
	 * @param owner who wants it; at most 64 characters
	 * @param duration for how long
	 * @return how far the last owner has come, empty if that is not known; {@code null}
	 * if somebody else has the lease
	 */
	public @Nullable String acquireLease(String name, String owner, Duration duration) {
		return this.leases.acquire(name, owner, duration);
	}

	/**
	 * Renew a lease, also one that has run out if nobody has taken it since.
	 * @param name what it is for
	 * @param owner who has it
	 * @param duration for how long from now
	 * @param progress how far the owner has come, for the next one; at most 512
	 * characters
	 * @return false if the lease is lost
	 */
	public boolean renewLease(String name, String owner, Duration duration, String progress) {
		return this.leases.renew(name, owner, duration, progress);
	}

	/**
	 * Give a lease up, if one has it. What was noted as progress stays.
	 * @param name what it is for
	 * @param owner who has it
	 */
	public void releaseLease(String name, String owner) {
		this.leases.release(name, owner);
	}

	/**
	 * How far the database's clock is ahead of this node's, as the last probe found.
	 * @return the milliseconds, negative if it is behind; 0 before the first probe
	 */
	public long clockOffset() {
		return this.clockOffset;
	}

	/**
	 * Move last accesses forward, never backwards. Does not wait for rows that another
	 * transaction has locked: one of them would hold up all others.
	 * @param touches the accesses
	 * @return the ids of the rows that have changed: not those that were locked, have
	 * ended or know of a later access
	 */
	public Set<String> touch(List<Touch> touches) {
		return this.rows.touch(touches);
	}

	/**
	 * Note that Redis could not be told of a session's last write.
	 * @param id the session's id
	 */
	public void markPending(String id) {
		this.unit.inTransaction((repository) -> {
			repository.markPending(id);
			return true;
		});
	}

	/**
	 * Writes that Redis has missed, in the order of their ids.
	 * @param after the id after which to begin; empty for the first page
	 * @param limit how many to return at most
	 * @return the rows, those that cannot be read left out; fewer than the limit only if
	 * there are no more
	 */
	public List<PendingRow> pending(String after, int limit) {
		List<PendingRow> pending = new ArrayList<>();
		String last = after;
		boolean more = true;
		while (more && pending.size() < limit) {
			String from = last;
			Limit missing = Limit.of(limit - pending.size());
			List<SessionRow> page = this.unit.inTransaction((repository) -> repository.findPendingAfter(from, missing));
			for (SessionRow row : page) {
				SessionRecord session = row.isEnded() ? null : read(row);
				if (row.isEnded() || session != null) {
					pending
						.add(new PendingRow(row.id(), row.version(), session, row.isEnded() && row.movedTo() == null));
				}
				last = row.id();
			}
			more = page.size() == missing.max();
		}
		return pending;
	}

	/**
	 * How many writes Redis has missed and not been told of since.
	 * @return the number, at most 100,000
	 */
	public long countPending() {
		return this.unit.inTransaction(SessionRowRepository::countPending);
	}

	/**
	 * Note that Redis has been told. Of a row that another transaction has locked this is
	 * not noted, so that Redis will be told again.
	 * @param told what Redis was told
	 * @return the ids of those that still are of that version, and so are settled
	 */
	public Set<String> settled(List<PendingRow> told) {
		return this.rows.settle(told);
	}

	/**
	 * Find the active sessions of a principal.
	 * @param name the principal's name
	 * @return the sessions
	 */
	public List<SessionRecord> findByPrincipalName(String name) {
		List<SessionRecord> sessions = new ArrayList<>();
		String column = String.valueOf(SessionRow.principalColumn(name));
		for (SessionRow row : this.unit
			.inTransaction((repository) -> repository.findActiveByPrincipalName(column, this.clock.millis()))) {
			SessionRecord session = row.isExpiredAt(this.clock.instant(), this.settings) ? null : read(row);
			if (session != null) {
				sessions.add(session);
			}
		}
		return sessions;
	}

	/**
	 * Whether a failure is the database's answer to one statement, and says nothing about
	 * the next: bad data, a table that is missing, a transaction that may only read, a
	 * full disk, a lock.
	 * @param failure the failure
	 * @return whether the database works but for that
	 */
	public static boolean isAnswer(Throwable failure) {
		for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
			if (cause instanceof SQLException sql && sql.getSQLState() != null) {
				String state = sql.getSQLState();
				return state.matches("(22|23|25|42|55).*|53100|HYT00");
			}
		}
		return false;
	}

	/**
	 * Whether the database refuses a write for what it is, and would refuse it later as
	 * well.
	 * @param failure the failure
	 * @return whether it is no use to keep the write until later
	 */
	public static boolean isRefusal(Throwable failure) {
		for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
			if (cause instanceof SchemaVersionException) {
				return true;
			}
			if (cause instanceof SQLException sql && sql.getSQLState() != null) {
				return sql.getSQLState().matches("(22|23|42).*");
			}
		}
		return false;
	}

	/**
	 * Find out whether the database answers and has the table, and what time it has.
	 */
	public void probe() {
		Clock node = (this.clock instanceof ClusterClock cluster) ? cluster.node() : this.clock;
		long before = node.millis();
		long time = this.rows.time();
		this.clockOffset = time - (before + node.millis()) / 2;
	}

	/**
	 * Find out whether the tables are of the version that this library needs. Writes
	 * nothing. A database without any of them passes.
	 * @throws SchemaVersionException if they are older or newer
	 */
	public void checkSchema() {
		this.schema.check();
	}

	/**
	 * Create the tables, unless they exist.
	 * @throws SchemaVersionException if they are older or newer than this library needs;
	 * nothing is written then
	 */
	public void initializeSchema() {
		checkSchema();
		if (this.schema.isComplete()) {
			// To create an index that exists waits for everybody who writes.
			return;
		}
		new SchemaScript(this.settings.platform()).run(this.dataSource);
		// Nodes of two versions may have met in an empty database.
		checkSchema();
	}

	@Override
	public void close() {
		try {
			this.unit.close();
		}
		finally {
			this.dataSource.close();
		}
	}

}

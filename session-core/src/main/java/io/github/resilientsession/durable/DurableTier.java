package io.github.resilientsession.durable;

import java.sql.SQLException;
import java.time.Clock;
import java.time.Duration;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;

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

	private final DataSource dataSource;

	private final SessionRows rows;

	private final PersistenceUnit unit;

	private final DurableSettings settings;

	private final Clock clock;

	private final SessionStoreListener listener;

	private final Cache<String, Boolean> reported = Caffeine.newBuilder()
		.maximumSize(1_000)
		.expireAfterWrite(Duration.ofHours(1))
		.build();

	private volatile long clockOffset;

	/**
	 * Create a tier; the database may be down.
	 * @param dataSource the database, not closed by the tier
	 * @param settings how the tier behaves
	 * @param clock the time
	 * @param listener is told of rows that cannot be read
	 */
	public DurableTier(DataSource dataSource, DurableSettings settings, Clock clock, SessionStoreListener listener) {
		this.dataSource = new TimeLimitedDataSource(dataSource, settings.timeLimit());
		this.rows = new SessionRows(this.dataSource, settings);
		this.unit = new PersistenceUnit(this.dataSource, settings.platform());
		this.settings = settings;
		this.clock = clock;
		this.listener = listener;
	}

	/**
	 * Load sessions with one statement.
	 * @param ids the sessions' ids
	 * @return for every id a hit, a miss (also if it cannot be read), expired or ended
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
				found.put(row.id(), new Lookup.Ended());
				continue;
			}
			SessionRecord session = read(row);
			if (session != null) {
				boolean expired = !expiredToo && row.isExpiredAt(this.clock.instant(), this.settings);
				found.put(row.id(), expired ? new Lookup.Expired(session) : new Lookup.Hit(session));
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
	 * Insert a session.
	 * @param session the session
	 * @param redisPending whether Redis is not going to be told
	 * @param persistedWrites the tokens of the unpersisted writes in it, or {@code null}
	 * @return false if there is a row of that id already
	 */
	public boolean insert(SessionRecord session, boolean redisPending, @Nullable String persistedWrites) {
		return this.rows.insert(session, redisPending, persistedWrites);
	}

	/**
	 * Update a session, if it is active and of the version before.
	 * @param next the session's next state
	 * @param principal its new principal, or {@code null} to keep the one it has
	 * @param redisPending whether Redis is not going to be told; a mark that is there
	 * stays
	 * @param persistedWrites the tokens of the unpersisted writes in it, or {@code null}
	 * to keep those that are there
	 * @return whether the session was of the version before
	 */
	public boolean update(SessionRecord next, SessionChange.@Nullable Principal principal, boolean redisPending,
			@Nullable String persistedWrites) {
		return this.rows.update(next, principal, redisPending, persistedWrites);
	}

	/**
	 * Give a session another id: end the old row and insert a new one, both or none.
	 * @param oldId the id so far
	 * @param next the session's next state, with its new id
	 * @param redisPending whether Redis is not going to be told
	 * @param persistedWrites the tokens of the unpersisted writes in it, or {@code null}
	 * @return whether the old row was active and of the version before
	 */
	public boolean changeId(String oldId, SessionRecord next, boolean redisPending, @Nullable String persistedWrites) {
		return this.rows.changeId(oldId, next, redisPending, persistedWrites);
	}

	/**
	 * End a session. Its row stays, without attributes; where there is none, since plain
	 * Spring Session has created it, there is one afterwards, so that no slower request
	 * can store the session again.
	 * @param id the session's id
	 * @param redisPending whether Redis is not going to be told
	 * @return the version with which it ended, or empty if it had ended before
	 */
	public OptionalLong end(String id, boolean redisPending) {
		OptionalLong ended = this.rows.end(id, redisPending);
		if (ended.isPresent()) {
			return ended;
		}
		if (this.rows.insertEnded(id, this.clock.instant(), redisPending)) {
			return OptionalLong.of(1);
		}
		// Ended before, or stored by another request just now.
		return this.rows.end(id, redisPending);
	}

	/**
	 * Move last accesses forward, never backwards.
	 * @param touches the accesses
	 */
	public void touch(Collection<Touch> touches) {
		// In the same order on every node, so that two batches cannot deadlock.
		List<Touch> sorted = new ArrayList<>(touches);
		sorted.sort(Comparator.comparing(Touch::id));
		this.rows.touch(sorted);
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
					pending.add(new PendingRow(row.id(), row.version(), session));
				}
				last = row.id();
			}
			more = page.size() == missing.max();
		}
		return pending;
	}

	/**
	 * Note that Redis has been told.
	 * @param told what Redis was told, in the order of the ids
	 * @return how many of them still are of that version, and so are settled
	 */
	public int settled(List<PendingRow> told) {
		return this.unit.inTransaction((repository) -> {
			int settled = 0;
			for (PendingRow row : told) {
				settled += repository.clearPending(row.id(), row.version());
			}
			return settled;
		});
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
				return state.matches("(22|23|25|42|55).*|53100");
			}
		}
		return false;
	}

	/**
	 * Whether the database refuses a write for what it is, and would refuse it later as
	 * well.
	 * @param failure the failure
	 * @return whether it is no use to try again
	 */
	public static boolean isRefusal(Throwable failure) {
		for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
			if (cause instanceof SQLException sql && sql.getSQLState() != null) {
				return sql.getSQLState().matches("(22|23|42).*");
			}
		}
		return false;
	}

	/**
	 * The versions of sessions, with one statement.
	 * @param ids the sessions' ids
	 * @return the version by id, for those that have a row
	 */
	public Map<String, RowVersion> versions(Collection<String> ids) {
		return this.rows.versions(ids);
	}

	/**
	 * The tokens of the unpersisted writes that were merged into a session's row last.
	 * @param id the session's id
	 * @return the tokens, separated by spaces
	 */
	public String persistedWrites(String id) {
		return this.rows.persistedWrites(id);
	}

	/**
	 * Active sessions, those first that expire last.
	 * @param after the position to go on from, or {@code null} for the first page
	 * @param limit how many rows to look at
	 * @return the page
	 */
	public RecentPage findRecent(RecentPage.@Nullable Position after, int limit) {
		List<SessionRow> page = this.rows.recent(after, limit, this.clock.millis());
		List<SessionRecord> sessions = new ArrayList<>(page.size());
		for (SessionRow row : page) {
			SessionRecord session = row.isExpiredAt(this.clock.instant(), this.settings) ? null : read(row);
			if (session != null) {
				sessions.add(session);
			}
		}
		SessionRow last = (page.size() < limit) ? null : page.get(page.size() - 1);
		return new RecentPage(sessions, (last != null) ? new RecentPage.Position(last.expiresAt(), last.id()) : null);
	}

	/**
	 * Take a lease, or renew one's own. Leases are measured by the database's clock.
	 * @param name what it is for
	 * @param owner who wants it
	 * @param duration how long it is held without being renewed
	 * @return the progress that was noted last, or {@code null} if another holds it
	 */
	public @Nullable String acquireLease(String name, String owner, Duration duration) {
		return this.rows.acquireLease(name, owner, duration);
	}

	/**
	 * Renew a lease.
	 * @param name what it is for
	 * @param owner who holds it
	 * @param duration how long it is held without being renewed again
	 * @param progress a note for whoever holds it next, at most 512 characters
	 * @return whether the owner still held it
	 */
	public boolean renewLease(String name, String owner, Duration duration, String progress) {
		return this.rows.renewLease(name, owner, duration, progress);
	}

	/**
	 * Give a lease back; its progress stays.
	 * @param name what it is for
	 * @param owner who holds it
	 */
	public void releaseLease(String name, String owner) {
		this.rows.releaseLease(name, owner);
	}

	/**
	 * How far the database's clock is ahead of this node's, as the last probe saw it.
	 * @return milliseconds
	 */
	public long clockOffset() {
		return this.clockOffset;
	}

	/**
	 * Find out whether the database answers and has the table.
	 */
	public void probe() {
		this.rows.load(List.of());
		Clock node = (this.clock instanceof ClusterClock cluster) ? cluster.node() : this.clock;
		long before = node.millis();
		long there = this.rows.time();
		this.clockOffset = there - (before + node.millis()) / 2;
	}

	/**
	 * Create the table, unless it exists.
	 */
	public void initializeSchema() {
		new SchemaScript(this.settings.platform()).run(this.dataSource);
	}

	@Override
	public void close() {
		this.unit.close();
	}

}

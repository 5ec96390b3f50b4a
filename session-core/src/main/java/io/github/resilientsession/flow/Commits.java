package io.github.resilientsession.flow;

import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Function;

import io.github.resilientsession.circuit.TierCircuit;
import io.github.resilientsession.circuit.TierUnavailableException;
import io.github.resilientsession.durable.Committed;
import io.github.resilientsession.durable.DurableSettings;
import io.github.resilientsession.durable.DurableTier;
import io.github.resilientsession.record.Lookup;
import io.github.resilientsession.record.SessionChange;
import io.github.resilientsession.record.SessionHash;
import io.github.resilientsession.record.SessionRecord;
import io.github.resilientsession.record.SessionStoreListener;
import io.github.resilientsession.record.UnpersistedWrites;
import org.jspecify.annotations.Nullable;

/**
 * The durable half of a write: commits a change, together with what only the copy has
 * that it is based on, and merges both into what others have committed first.
 * <p>
 * Invariant: an update succeeds only on the version that it was computed from. So of two
 * commits on one state one fails, reads the other's state and applies its change to that:
 * changes of different attributes are all kept, of the same attribute the last one.
 */
final class Commits {

	private static final long MAX_PAUSE_MILLIS = 20;

	/**
	 * As many as the row has room for: one for each attribute that was written by another
	 * request.
	 */
	private static final int MAX_TOKENS = 150;

	private static final Duration RECENT = Duration.ofMillis(100);

	/**
	 * More changes of id than a session goes through while writes of it are kept back.
	 */
	private static final int MAX_MOVES = 100;

	private final DurableTier durable;

	private final TierCircuit circuit;

	private final Function<String, Lookup> copies;

	private final DurableSettings settings;

	private final Duration maxSessionLife;

	private final Clock clock;

	private final SessionStoreListener listener;

	/**
	 * Create the durable half of writes.
	 * @param copies finds what Redis has under an id, or throws
	 * {@link TierUnavailableException}
	 */
	Commits(DurableTier durable, TierCircuit circuit, Function<String, Lookup> copies, DurableSettings settings,
			Duration maxSessionLife, Clock clock, SessionStoreListener listener) {
		this.durable = durable;
		this.circuit = circuit;
		this.copies = copies;
		this.settings = settings;
		this.maxSessionLife = maxSessionLife;
		this.clock = clock;
		this.listener = listener;
	}

	/**
	 * Commit a change, and with it what only the copy had that it is based on.
	 * @param base the state that the request started from
	 * @param change what it changed
	 * @param pending whether Redis is not going to be told
	 * @param begin what may be begun as soon as there is a commit, by another thread
	 * while this one waits; {@code null} for nothing
	 * @return the commit, or {@code null} if the session had been ended
	 * @throws CopyUnknownException if it was not committed, since Redis did not say what
	 * is to be merged
	 * @throws TierUnavailableException if it was not committed, or nobody can say whether
	 * it was
	 */
	@Nullable Commit commit(SessionRecord base, SessionChange change, boolean pending, @Nullable Begin begin) {
		return commit(base, base.id(), change, change, pending, begin);
	}

	/**
	 * Commit what only a copy has.
	 * @param copy the copy
	 * @param later a change that the row includes and that wins over it, or {@code null}
	 * @return the commit, or {@code null} if the session had been ended
	 * @throws CopyUnknownException if it was not committed, since Redis did not say what
	 * is to be merged
	 * @throws TierUnavailableException if it was not committed, or nobody can say whether
	 * it was
	 */
	@Nullable Commit merge(SessionRecord copy, @Nullable SessionChange later) {
		SessionChange nothing = SessionChange.none(copy);
		return commit(copy, copy.id(), (later != null) ? later : nothing, nothing, false, null);
	}

	/**
	 * Commit what only the copy under an earlier id has.
	 * @param state the latest state, with those writes as unpersisted ones
	 * @param earlierId the id of the copy
	 * @param change a later change that the state includes, or {@code null}; it is
	 * committed once more, since others may have taken along what is earlier
	 * @return the commit, or {@code null} if the session had been ended
	 * @throws CopyUnknownException if it was not committed, since Redis did not say what
	 * is to be merged
	 * @throws TierUnavailableException if it was not committed, or nobody can say whether
	 * it was
	 */
	@Nullable Commit takeAlong(SessionRecord state, String earlierId, @Nullable SessionChange change) {
		SessionChange nothing = SessionChange.none(state);
		SessionChange again = (change != null) ? change.then(nothing) : nothing;
		return commit(state, earlierId, again, again, false, null);
	}

	/**
	 * @param later what wins over what only the copy has
	 * @param change what to commit with that: all of it, or nothing where the row has it
	 */
	private @Nullable Commit commit(SessionRecord base, String copyId, SessionChange later, SessionChange change,
			boolean pending, @Nullable Begin begin) {
		SessionRecord current = base;
		Carried carried = carried(base, copyId, current, later);
		boolean inStore = base.version() != SessionRecord.UNVERSIONED;
		boolean onBase = true;
		// A copy that came back, or was taken along, may have what the row was given.
		if (inStore && !base.unpersisted().isEmpty()
				&& this.circuit.call(() -> this.durable.loadForMerge(base.id())) instanceof Lookup.Hit row) {
			current = row.session().knowing(base.persisted());
			carried = carried(base, copyId, current, later);
			onBase = current.version() == base.version()
					&& base.unpersisted().without(current.persisted()).equals(base.unpersisted());
		}
		long deadline = System.nanoTime() + this.settings.timeLimit().toNanos();
		for (int attempt = 0; attempt == 0 || System.nanoTime() < deadline; attempt++) {
			// Higher than any that a copy can have, also if the durable store has lost
			// commits.
			long version = Math.max(base.version(), current.version()) + 1;
			SessionChange whole = carried.change().then(inStore ? change : later);
			List<String> tokens = carried.tokens().stream().limit(MAX_TOKENS).toList();
			SessionRecord next = whole.applyTo(current).committed(version, tokens);
			boolean asRead = onBase;
			long asked = System.nanoTime();
			Committed committed = (begin != null)
					? (persisted) -> begin.begin(new Commit(next.knowing(persisted), asRead, asked))
					: Committed.NOTHING;
			Optional<Set<String>> persisted = write(current, inStore, next, whole, pending, tokens, committed);
			if (persisted.isPresent()) {
				return new Commit(next.knowing(persisted.get()), onBase, asked);
			}
			onBase = false;
			pause(attempt);
			boolean rowThere = !inStore;
			Lookup latest = this.circuit.call(() -> this.durable.loadForMerge(base.id()));
			if (latest instanceof Lookup.Hit hit) {
				current = hit.session().knowing(base.persisted());
				inStore = true;
				carried = carried(base, copyId, current, later);
				this.listener.onMerged();
			}
			else if (latest instanceof Lookup.Miss && !rowThere && !hasLongExpired(base)) {
				// Rows of ended sessions stay, so this one was never ended: the store was
				// replaced. The request's own state is the best there is. If there is a
				// row after all, it cannot be read, and the session is lost.
				inStore = false;
			}
			else {
				return committedBefore(base.id(), change.id());
			}
		}
		throw new TierUnavailableException("Session " + SessionHash.of(base.id()) + " was changed by others in every "
				+ "attempt to merge into it within " + this.settings.timeLimit().toMillis() + " ms", null);
	}

	/**
	 * What goes into a row under a later change, of what only a copy has. While the row
	 * is as the request has read it, that is all that it has read of this kind. If others
	 * have committed since, Redis may have lost it before, and it must not take the place
	 * of what is newer: so it is what the copy has now. The copy is asked after the row
	 * was read: if it loses something later, and others commit after that, this commit
	 * fails.
	 * @throws CopyUnknownException if others have committed since, and Redis does not
	 * answer
	 */
	private Carried carried(SessionRecord base, String copyId, SessionRecord row, SessionChange later) {
		UnpersistedWrites left = base.unpersisted().without(row.persisted());
		if (left.isEmpty() || row.version() == base.version()) {
			return new Carried(left.supersededBy(later).changeOf(base), left.tokens());
		}
		Set<String> tokens = left.replacedBy(later);
		if (copy(copyId) instanceof Lookup.Hit hit) {
			SessionRecord copy = hit.session();
			left = copy.unpersisted().without(row.persisted());
			tokens.addAll(left.tokens());
			return new Carried(left.supersededBy(later).changeOf(copy), tokens);
		}
		return new Carried(SessionChange.none(base), tokens);
	}

	private Lookup copy(String id) {
		try {
			return this.copies.apply(id);
		}
		catch (TierUnavailableException ex) {
			throw new CopyUnknownException(ex);
		}
	}

	/**
	 * Read a row, if the durable store can be read.
	 * @return a hit, also if it has expired, a miss, ended or unavailable
	 */
	Lookup read(String id) {
		try {
			return this.circuit.call(() -> this.durable.loadForMerge(id));
		}
		catch (TierUnavailableException ex) {
			return new Lookup.Unavailable(ex);
		}
	}

	/**
	 * What has become of a commit by now.
	 * @param commit a commit
	 * @return the latest state; the commit itself if the session has ended, or if nobody
	 * can say
	 */
	Commit latest(Commit commit) {
		long asked = System.nanoTime();
		return (read(commit.next().id()) instanceof Lookup.Hit hit
				&& hit.session().version() >= commit.next().version())
						? new Commit(hit.session().knowing(commit.next().persisted()), false, asked) : commit;
	}

	/**
	 * Follow a session through its changes of id.
	 * @param id an id that it had
	 * @return a hit under the id that it has now; ended, with an id that the durable
	 * store does not know, as long as only Redis does; a miss if the session is over.
	 * Both know what the rows of earlier ids were given.
	 * @throws TierUnavailableException if the durable store cannot say, or after more
	 * changes of id than make sense
	 */
	Lookup follow(String id) {
		Set<String> persisted = new HashSet<>();
		String next = id;
		for (int move = 0; move < MAX_MOVES; move++) {
			String now = next;
			Lookup found = this.circuit.call(() -> this.durable.loadForMerge(now));
			if (found instanceof Lookup.Ended ended && ended.movedTo() != null) {
				persisted.addAll(ended.persisted());
				next = ended.movedTo();
			}
			else if (found instanceof Lookup.Hit hit) {
				return new Lookup.Hit(hit.session().knowing(persisted));
			}
			else {
				return (found instanceof Lookup.Ended || move == 0) ? new Lookup.Miss()
						: new Lookup.Ended(now, persisted);
			}
		}
		throw new TierUnavailableException(
				"The id of session " + SessionHash.of(id) + " has been changed too often to be followed", null);
	}

	/**
	 * A change of id whose commit was in doubt has ended the old id by itself. Nobody
	 * else knows the new one.
	 * @return that commit, or {@code null} if the session was ended by another
	 */
	private @Nullable Commit committedBefore(String oldId, String newId) {
		long asked = System.nanoTime();
		if (!oldId.equals(newId)
				&& this.circuit.call(() -> this.durable.loadForMerge(newId)) instanceof Lookup.Hit hit) {
			return new Commit(hit.session(), false, asked);
		}
		return null;
	}

	/**
	 * Whether the row may have been removed since the session ended.
	 */
	private boolean hasLongExpired(SessionRecord base) {
		Duration grace = this.settings.graceFor(base.maxInactiveInterval());
		Instant end = base.expiresAt().plus(grace);
		return this.clock.instant().isAfter(end);
	}

	/**
	 * The more others there are, the longer the wait, so that one of them gets through.
	 */
	private static void pause(int attempt) {
		if (attempt > 0) {
			long bound = Math.min(2L << Math.min(attempt, 10), MAX_PAUSE_MILLIS);
			LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(ThreadLocalRandom.current().nextLong(bound + 1)));
		}
	}

	/**
	 * @return what the row has been given by then, which a state that was made from a
	 * copy does not know; empty if it was not written
	 */
	private Optional<Set<String>> write(SessionRecord current, boolean inStore, SessionRecord next,
			SessionChange change, boolean pending, List<String> persisted, Committed committed) {
		String tokens = persisted.isEmpty() ? null : String.join(" ", persisted);
		return this.circuit.call(() -> {
			boolean moved = !current.id().equals(next.id());
			if (!inStore) {
				// With an ended row of the old id, or a slower request would store the
				// session under it.
				boolean inserted = moved
						? this.durable.insertChanged(current.id(), this.maxSessionLife, next, pending, tokens)
						: this.durable.insert(next, pending, tokens, committed);
				return inserted ? Optional.of(Set.copyOf(persisted)) : Optional.empty();
			}
			if (moved) {
				return this.durable.changeId(current.id(), current.version(), next, pending, tokens, committed);
			}
			return this.durable.update(next, current.version(), change.principal(), pending, tokens, committed);
		});
	}

	/**
	 * What follows a commit at once.
	 */
	@FunctionalInterface
	interface Begin {

		/**
		 * Begin, on any thread. Does not wait and does not throw.
		 * @param commit the commit, which is going to be returned too
		 * @return completes when that has ended; {@code null} if nothing was begun
		 */
		@Nullable CompletionStage<?> begin(Commit commit);

	}

	/**
	 * A durable commit.
	 *
	 * @param next the state after it, which knows all that its row was given
	 * @param onBase whether it was made on the state that the request started from, so
	 * that the change alone brings an equal copy to this state
	 * @param asked when the durable store was asked for it, by {@link System#nanoTime()}
	 */
	record Commit(SessionRecord next, boolean onBase, long asked) {

		/**
		 * Whether hardly anybody can have committed a newer state, put its copy, and
		 * Redis have lost that. The answer of a store that hangs, or is cut off for a
		 * while, may come long after its commit.
		 */
		boolean isRecent() {
			return System.nanoTime() - this.asked < RECENT.toNanos();
		}

	}

	/**
	 * What only a copy has, as it goes into a row.
	 *
	 * @param change the writes
	 * @param tokens the tokens that the row notes: theirs, and those of writes that were
	 * replaced, which nobody must bring back either
	 */
	private record Carried(SessionChange change, Set<String> tokens) {

	}

}

package io.github.resilientsession.flow;

import io.github.resilientsession.circuit.TierUnavailableException;
import io.github.resilientsession.flow.Commits.Commit;
import io.github.resilientsession.record.Lookup;
import io.github.resilientsession.record.SessionChange;
import io.github.resilientsession.record.SessionHash;
import io.github.resilientsession.record.SessionRecord;
import io.github.resilientsession.redis.CopyOutcome;
import io.github.resilientsession.redis.CopyOutcome.Status;
import io.github.resilientsession.redis.RedisTier;
import io.github.resilientsession.redis.RedisTierException;
import io.github.resilientsession.redis.Sent;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Makes the copy of a session agree with its row, whatever Redis holds.
 * <p>
 * Invariant: a copy is only ever replaced by a newer state, and never while it holds
 * writes that the durable store does not know. Afterwards Redis holds no state older than
 * the one that was given.
 */
public final class Convergence {

	private static final int MAX_ATTEMPTS = 20;

	private static final Logger logger = LoggerFactory.getLogger(Convergence.class);

	private final RedisTier redis;

	private final Commits commits;

	private final RebuildWatch watch;

	Convergence(RedisTier redis, Commits commits, RebuildWatch watch) {
		this.redis = redis;
		this.commits = commits;
		this.watch = watch;
	}

	/**
	 * Make Redis agree with a state of a session: absent becomes this state, an older
	 * copy is replaced, and a newer copy or a tombstone stays. What only the copy has is
	 * kept.
	 * @param state the state that the durable store has
	 * @return the state that Redis has been brought to, or which is newer
	 * @throws RedisTierException if Redis failed, or if other writers kept changing the
	 * copy
	 */
	public SessionRecord converge(SessionRecord state) {
		return bring(state, null, true);
	}

	/**
	 * Like {@link #converge(SessionRecord)}, after a change that has just been committed:
	 * where what only the copy has is of the same attributes, the change wins, since it
	 * is the later one.
	 * @param state the state that the durable store has
	 * @param change the change that led to it
	 * @param fill whether to put the state where there is no copy
	 * @throws RedisTierException if Redis failed, or if other writers kept changing the
	 * copy
	 */
	void converge(SessionRecord state, SessionChange change, boolean fill) {
		bring(state, change, fill);
	}

	private SessionRecord bring(SessionRecord state, @Nullable SessionChange change, boolean fill) {
		SessionRecord target = state;
		for (int attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
			if (fill) {
				CopyOutcome found = putIfAbsent(target);
				if (found.status() != Status.OTHER || found.currentVersion() >= target.version()) {
					return target;
				}
			}
			Lookup lookup = this.redis.find(target.id());
			if (!(lookup instanceof Lookup.Hit hit)) {
				if (!fill) {
					return target;
				}
				// Ended, or gone meanwhile, or not readable and therefore discarded.
				continue;
			}
			SessionRecord copy = hit.session();
			if (copy.version() >= target.version()) {
				return target;
			}
			if (!copy.unpersisted().isEmpty()) {
				SessionRecord both = withUnpersisted(copy, target, change);
				if (both == null) {
					// It has ended meanwhile, which whoever persists the copy finds out.
					return target;
				}
				target = both;
			}
			if (this.redis.replace(copy, target).status() == Status.DONE) {
				return target;
			}
		}
		throw new RedisTierException(RedisTierException.Kind.UNAVAILABLE,
				"The copy of session " + SessionHash.of(state.id()) + " kept changing", null);
	}

	/**
	 * A gap may be there because Redis has lost the copy of a newer state, or a
	 * tombstone. Nobody but the durable store can tell, and only afterwards.
	 */
	private CopyOutcome putIfAbsent(SessionRecord target) {
		boolean filled = true;
		try {
			CopyOutcome found = this.redis.putIfAbsent(target);
			filled = found.status() == Status.DONE;
			return found;
		}
		finally {
			if (filled) {
				this.watch.rebuilt(target.withoutAttributes());
			}
		}
	}

	/**
	 * Make Redis agree with the first state of a session, whose id nobody else can know
	 * yet.
	 * @param state the state that the durable store has
	 * @param sent what has been sent already to put it, or {@code null}
	 * @throws RedisTierException if Redis failed, or if other writers kept changing the
	 * copy
	 */
	void convergeNew(SessionRecord state, @Nullable Sent sent) {
		CopyOutcome found = this.redis.put((sent != null) ? sent : this.redis.sendIfAbsent(state));
		if (found.status() == Status.OTHER && found.currentVersion() < state.version()) {
			converge(state);
		}
	}

	/**
	 * A state together with what only an older copy has: committed or, if the durable
	 * store does not take it now, still as something that only the copy has.
	 */
	private @Nullable SessionRecord withUnpersisted(SessionRecord copy, SessionRecord target,
			@Nullable SessionChange change) {
		try {
			Commit commit = this.commits.merge(copy, change);
			return (commit != null) ? commit.next() : null;
		}
		catch (TierUnavailableException ex) {
			SessionRecord earlier = (change != null) ? copy.supersededBy(change) : copy;
			SessionRecord latest = target;
			if (this.commits.read(target.id()) instanceof Lookup.Hit row
					&& row.session().version() > target.version()) {
				// It may have been given just this.
				latest = row.session();
			}
			return latest.with(earlier, null);
		}
	}

	/**
	 * Like {@link #converge}; but where the state cannot be put, for want of memory or
	 * because it is too large for the time limit, at least remove the older copy, so that
	 * nobody reads it.
	 * @param state the state that the durable store has
	 * @return whether Redis has been told; if not, it has to be told later
	 * @throws RedisTierException if not even that works: Redis is not back
	 */
	public boolean convergeOrHide(SessionRecord state) {
		return convergeOrHide(state, true);
	}

	/**
	 * Like {@link #convergeOrHide}, with a state that need not be the latest: it takes
	 * the place of an older copy, but never fills a gap, since another node may have
	 * committed a newer one.
	 * @param state a state that the durable store has had
	 * @return whether Redis holds nothing older
	 * @throws RedisTierException if Redis is not back
	 */
	public boolean replaceOlder(SessionRecord state) {
		return convergeOrHide(state, false);
	}

	private boolean convergeOrHide(SessionRecord state, boolean fill) {
		try {
			bring(state, null, fill);
			return true;
		}
		catch (RedisTierException ex) {
			logger.debug("Session {} could not be put into Redis", SessionHash.of(state.id()), ex);
			if (this.redis.find(state.id()) instanceof Lookup.Hit hit) {
				if (!hit.session().unpersisted().isEmpty()) {
					throw ex;
				}
				this.redis.discard(hit.session());
			}
			return false;
		}
	}

}

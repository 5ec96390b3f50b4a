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

/**
 * Makes the copy of a session agree with its row, whatever Redis holds.
 * <p>
 * Invariant: a copy is only ever replaced by a newer state, and never while it holds
 * writes that the durable store does not know. Afterwards Redis holds no state older than
 * the one that was given.
 */
public final class Convergence {

	private static final int MAX_ATTEMPTS = 20;

	private final RedisTier redis;

	private final Commits commits;

	Convergence(RedisTier redis, Commits commits) {
		this.redis = redis;
		this.commits = commits;
	}

	/**
	 * Make Redis agree with a state of a session: absent becomes this state, an older
	 * copy is replaced, and a newer copy or a tombstone stays. What only the copy has is
	 * committed first.
	 * @param state the state that the durable store has
	 * @return the state that Redis has been brought to, or which is newer
	 * @throws RedisTierException if Redis failed, or if other writers kept changing the
	 * copy
	 * @throws TierUnavailableException if what only the copy has could not be committed
	 */
	public SessionRecord converge(SessionRecord state) {
		SessionRecord target = state;
		for (int attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
			CopyOutcome found = this.redis.putIfAbsent(target);
			if (found.status() != Status.OTHER
					|| (found.currentVersion() >= target.version() && !found.unpersisted())) {
				return target;
			}
			Lookup lookup = this.redis.find(target.id());
			if (!(lookup instanceof Lookup.Hit hit)) {
				// Ended, or gone meanwhile, or not readable and therefore discarded.
				continue;
			}
			SessionRecord copy = hit.session();
			if (!copy.unpersisted().isEmpty()) {
				Commit commit = this.commits.commit(copy, SessionChange.none(copy), false);
				if (commit == null) {
					this.redis.end(copy.id(), copy.version() + 1);
					return target;
				}
				target = commit.next();
			}
			if (copy.version() >= target.version()
					|| this.redis.replace(copy, target.accessedAt(copy.lastAccessedTime())).status() == Status.DONE) {
				return target;
			}
		}
		throw new RedisTierException(RedisTierException.Kind.UNAVAILABLE,
				"The copy of session " + SessionHash.of(state.id()) + " kept changing", null);
	}

}

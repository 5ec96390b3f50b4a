package io.github.resilientsession.flow;

import java.util.Map;

import io.github.resilientsession.circuit.TierUnavailableException;
import io.github.resilientsession.flow.Commits.Commit;
import io.github.resilientsession.record.Lookup;
import io.github.resilientsession.record.SessionChange;
import io.github.resilientsession.record.SessionHash;
import io.github.resilientsession.record.SessionRecord;
import io.github.resilientsession.redis.CopyOutcome.Status;
import io.github.resilientsession.redis.RedisTier;
import io.github.resilientsession.redis.RedisTierException;
import org.jspecify.annotations.Nullable;

/**
 * Ends the copies under ids that have ended in the durable store. Safe for use by many
 * threads.
 * <p>
 * Invariant: where the session goes on under another id, the old copy is ended only when
 * that has what only the copy had. Whoever finds such a copy does it, since the request
 * that changed the id may not have got through to Redis; the tokens of the writes keep a
 * second one from doing it again.
 */
public final class EndedCopies {

	private static final int MAX_ATTEMPTS = 5;

	private final RedisTier redis;

	private final Commits commits;

	private final Convergence convergence;

	private final OutageWrites outage;

	EndedCopies(RedisTier redis, Commits commits, Convergence convergence, OutageWrites outage) {
		this.redis = redis;
		this.commits = commits;
		this.convergence = convergence;
		this.outage = outage;
	}

	/**
	 * End a copy.
	 * @param id the id that has ended
	 * @param version the version with which it ended
	 * @throws RedisTierException if Redis failed, or if others kept changing the copy
	 * @throws TierUnavailableException if what only the copy has could not be taken along
	 */
	public void end(String id, long version) {
		end(id, version, null, null);
	}

	/**
	 * End copies, with one round trip for all that have nothing to be taken along.
	 * @param versions the versions with which they ended, by id
	 * @throws RedisTierException if Redis failed, or if others kept changing a copy
	 * @throws TierUnavailableException if what only a copy has could not be taken along
	 */
	public void endAll(Map<String, Long> versions) {
		for (String id : this.redis.endAllPersisted(versions)) {
			end(id, versions.getOrDefault(id, 1L));
		}
	}

	/**
	 * End the copy under an id that the caller has just changed.
	 * @param base the state that was changed, of which everything has gone along
	 * @param next the state under the new id
	 * @param change what the caller changed: it is later than what only the copy has
	 */
	void endMoved(SessionRecord base, SessionRecord next, SessionChange change) {
		if (this.redis.end(base, next.version()).status() != Status.DONE) {
			end(base.id(), next.version(), next, change);
		}
	}

	private void end(String id, long version, @Nullable SessionRecord next, @Nullable SessionChange change) {
		for (int attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
			// Also where there is no copy: a rebuild may be on its way.
			if (this.redis.endPersisted(id, version).status() == Status.DONE) {
				return;
			}
			Lookup found = this.redis.find(id);
			if (found instanceof Lookup.Ended) {
				this.redis.end(id, version);
				return;
			}
			if (found instanceof Lookup.Hit hit) {
				SessionRecord copy = hit.session();
				takeAlong(copy, (next != null) ? next : this.commits.follow(id), change);
				if (this.redis.end(copy, version).status() == Status.DONE) {
					return;
				}
			}
		}
		throw new RedisTierException(RedisTierException.Kind.UNAVAILABLE,
				"The copy of session " + SessionHash.of(id) + " kept changing after its end", null);
	}

	/**
	 * Commit what only a copy has under the id that its session has now; if the durable
	 * store does not take it, only the new copy has it.
	 */
	private void takeAlong(SessionRecord copy, @Nullable SessionRecord now, @Nullable SessionChange change) {
		if (now == null) {
			return;
		}
		SessionRecord both = now.with(copy, change);
		if (both.unpersisted().isEmpty()) {
			return;
		}
		try {
			Commit commit = this.commits.commit(both, SessionChange.none(both), false);
			if (commit != null) {
				this.convergence.converge(commit.next());
			}
			else {
				takeAlong(copy, this.commits.follow(both.id()), null);
			}
		}
		catch (TierUnavailableException ex) {
			if (this.outage.save(now, both.unpersisted().changeOf(both), ex) instanceof WriteOutcome.Unavailable) {
				throw ex;
			}
		}
	}

}

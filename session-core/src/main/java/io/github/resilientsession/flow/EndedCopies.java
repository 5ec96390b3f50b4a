package io.github.resilientsession.flow;

import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;

import io.github.resilientsession.circuit.TierUnavailableException;
import io.github.resilientsession.durable.PendingRow;
import io.github.resilientsession.flow.Commits.Commit;
import io.github.resilientsession.record.Lookup;
import io.github.resilientsession.record.SessionChange;
import io.github.resilientsession.record.SessionHash;
import io.github.resilientsession.record.SessionRecord;
import io.github.resilientsession.redis.CopyOutcome.Status;
import io.github.resilientsession.redis.RedisTier;
import io.github.resilientsession.redis.RedisTierException;
import io.github.resilientsession.redis.Sent;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Ends the copies under ids that have ended in the durable store. Safe for use by many
 * threads.
 * <p>
 * Invariant: where the session goes on under another id, the old copy is ended only when
 * the new row and the new copy have what only the old copy had, or the new copy alone, as
 * something unpersisted. Whoever finds such a copy does it, since the request that
 * changed the id may not have got through to Redis. The tokens of the writes go along, so
 * that a second one does not do it again.
 */
public final class EndedCopies {

	private static final int MAX_ATTEMPTS = 20;

	private static final Logger logger = LoggerFactory.getLogger(EndedCopies.class);

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
	 * End copies, with one round trip for all that have nothing to be taken along.
	 * @param rows the rows that have ended
	 * @return the ids of those whose copies have ended: not those of which something
	 * could not be taken along
	 * @throws RedisTierException if Redis failed, or if others kept changing a copy
	 */
	public Set<String> endAll(Collection<PendingRow> rows) {
		Map<String, Long> over = new HashMap<>();
		Map<String, Long> moved = new HashMap<>();
		rows.forEach((row) -> (row.over() ? over : moved).put(row.id(), row.version()));
		Set<String> ended = new HashSet<>(over.keySet());
		ended.addAll(moved.keySet());
		this.redis.endAll(over);
		for (String id : this.redis.endAllPersisted(moved)) {
			try {
				end(id, moved.getOrDefault(id, 1L));
			}
			catch (TierUnavailableException ex) {
				ended.remove(id);
				logger.debug("What only the copy of session {} has cannot be taken along yet", SessionHash.of(id), ex);
			}
		}
		return ended;
	}

	/**
	 * End the copy under an id that has ended, while the session may go on under another.
	 * @param id the id
	 * @param version the version with which it ended
	 * @throws RedisTierException if Redis failed, or if others kept changing the copy
	 * @throws TierUnavailableException if what only the copy has could not be taken along
	 */
	void end(String id, long version) {
		end(id, version, null, null);
	}

	/**
	 * End the copy under an id that the caller has just changed.
	 * @param base the state that was changed, of which everything has gone along
	 * @param next the state under the new id
	 * @param change what the caller changed: it is later than what only the copy has
	 * @param sent what has been sent already to end it, or {@code null}
	 * @throws RedisTierException if Redis failed, or if others kept changing the copy
	 * @throws TierUnavailableException if what only the copy has could not be taken along
	 */
	void endMoved(SessionRecord base, SessionRecord next, SessionChange change, @Nullable Sent sent) {
		Sent end = (sent != null) ? sent : this.redis.sendEnd(base, next.version());
		if (this.redis.put(end).status() != Status.DONE) {
			end(base.id(), next.version(), next, change);
			repeat(next, change);
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
				takeAlong(hit.session(), next, change);
				if (this.redis.end(hit.session(), version).status() == Status.DONE) {
					return;
				}
			}
		}
		throw new RedisTierException(RedisTierException.Kind.UNAVAILABLE,
				"The copy of session " + SessionHash.of(id) + " kept changing after its end", null);
	}

	/**
	 * @param next the state under the new id, if the caller has just given it, for when
	 * the durable store cannot be read any more
	 */
	private void takeAlong(SessionRecord copy, @Nullable SessionRecord next, @Nullable SessionChange change) {
		Lookup now;
		try {
			now = this.commits.follow(copy.id());
			if (now instanceof Lookup.Ended ended && ended.movedTo() != null
					&& !this.outage.keepMoved(ended.movedTo(), null, ended.persisted(), copy, change)) {
				// Durable meanwhile, or lost.
				now = this.commits.follow(copy.id());
			}
		}
		catch (TierUnavailableException ex) {
			if (next == null || !this.outage.keepMoved(next.id(), next, next.persisted(), copy, change)) {
				throw ex;
			}
			return;
		}
		if (now instanceof Lookup.Hit hit) {
			takeTo(hit.session(), copy, change);
		}
	}

	private void takeTo(SessionRecord now, SessionRecord copy, @Nullable SessionChange change) {
		SessionRecord both = now.with(copy, change);
		if (both.unpersisted().isEmpty()) {
			// Committed by another, who may not have got through to Redis since.
			this.convergence.converge(now);
			return;
		}
		if (this.redis.find(now.id()) instanceof Lookup.Ended ended && ended.movedTo() != null
				&& this.outage.keepMoved(ended.movedTo(), null, now.persisted(), copy, change)) {
			return;
		}
		try {
			Commit commit = this.commits.takeAlong(both, copy.id(), change);
			if (commit != null) {
				this.convergence.converge(commit.next());
			}
			else {
				takeAlong(copy, null, null);
			}
		}
		catch (TierUnavailableException ex) {
			if (!this.outage.keepMoved(now.id(), now, now.persisted(), copy, change)) {
				throw ex;
			}
		}
	}

	/**
	 * Nobody is told the new id before the change is acknowledged. So whoever has written
	 * to it was taking along what is earlier, perhaps over what the caller has changed.
	 */
	private void repeat(SessionRecord next, SessionChange change) {
		if (change.isTouch()) {
			return;
		}
		if (this.commits.follow(next.id()) instanceof Lookup.Hit now && now.session().version() > next.version()) {
			Commit commit = this.commits.commit(now.session(), change, false, null);
			if (commit != null) {
				this.convergence.converge(commit.next());
			}
		}
	}

}

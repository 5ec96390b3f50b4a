package io.github.resilientsession.reconcile;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;

import io.github.resilientsession.circuit.TierCircuit;
import io.github.resilientsession.circuit.TierUnavailableException;
import io.github.resilientsession.durable.DurableTier;
import io.github.resilientsession.durable.PendingRow;
import io.github.resilientsession.durable.RowVersion;
import io.github.resilientsession.flow.Convergence;
import io.github.resilientsession.flow.EndedCopies;
import io.github.resilientsession.flow.WritePath;
import io.github.resilientsession.record.Lookup;
import io.github.resilientsession.record.SessionHash;
import io.github.resilientsession.redis.CopyState;
import io.github.resilientsession.redis.RedisTier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Compares copies with their rows, and makes those agree that do not: older ones are
 * replaced, ended ones ended, unpersisted ones persisted.
 */
final class CopyComparison {

	/**
	 * How many whole sessions to have in memory at the same time.
	 */
	private static final int SESSIONS = 100;

	private static final Logger logger = LoggerFactory.getLogger(CopyComparison.class);

	private final RedisTier redis;

	private final TierCircuit redisCircuit;

	private final DurableTier durable;

	private final TierCircuit durableCircuit;

	private final Convergence convergence;

	private final EndedCopies endedCopies;

	private final WritePath writePath;

	CopyComparison(RedisTier redis, TierCircuit redisCircuit, DurableTier durable, TierCircuit durableCircuit,
			Convergence convergence, EndedCopies endedCopies, WritePath writePath) {
		this.redis = redis;
		this.redisCircuit = redisCircuit;
		this.durable = durable;
		this.durableCircuit = durableCircuit;
		this.convergence = convergence;
		this.endedCopies = endedCopies;
		this.writePath = writePath;
	}

	/**
	 * Compare copies with their rows.
	 * @param ids the ids of sessions of which there are copies
	 * @return what came of it
	 * @throws TierUnavailableException if a tier failed: some may still differ
	 */
	Compared compare(List<String> ids) {
		// Copies first: what is written meanwhile can only look older than its row.
		Map<String, CopyState> copies = this.redisCircuit.call(() -> this.redis.states(ids));
		Map<String, RowVersion> rows = this.durableCircuit.call(() -> this.durable.versions(copies.keySet()));
		List<PendingRow> ended = new ArrayList<>();
		List<String> older = new ArrayList<>();
		long repaired = 0;
		boolean complete = true;
		for (Map.Entry<String, CopyState> entry : copies.entrySet()) {
			String id = entry.getKey();
			CopyState copy = entry.getValue();
			RowVersion row = rows.get(id);
			if (copy.unpersisted()) {
				boolean persisted = persist(id);
				if (!persisted && row != null) {
					older.add(id);
				}
				complete &= persisted;
				repaired++;
			}
			else if (!copy.isTombstone()) {
				if (row == null) {
					repaired += discardUnknown(id, copy) ? 1 : 0;
				}
				else if (row.ended()) {
					ended.add(new PendingRow(id, row.version(), null, false));
				}
				else if (row.version() > copy.version()) {
					older.add(id);
				}
			}
		}
		this.redisCircuit.write(() -> this.endedCopies.endAll(ended));
		converge(older);
		return new Compared(repaired + ended.size() + older.size(), complete);
	}

	/**
	 * One session that cannot be persisted must not keep all others from being trusted.
	 */
	private boolean persist(String id) {
		try {
			this.writePath.persist(id);
			return true;
		}
		catch (TierUnavailableException ex) {
			if (this.redisCircuit.isOpen() || this.durableCircuit.isOpen()) {
				throw ex;
			}
			logger.debug("Session {} could not be persisted", SessionHash.of(id), ex);
			return false;
		}
	}

	/**
	 * A copy with a version but without a row is of a session that ended so long ago that
	 * its row is gone. One without a version was created by plain Spring Session.
	 */
	private boolean discardUnknown(String id, CopyState copy) {
		if (copy.version() == 0) {
			return false;
		}
		this.redisCircuit.write(() -> {
			if (this.redis.find(id) instanceof Lookup.Hit hit && hit.session().version() == copy.version()
					&& hit.session().unpersisted().isEmpty()) {
				this.redis.discard(hit.session());
			}
		});
		return true;
	}

	private void converge(List<String> ids) {
		for (int start = 0; start < ids.size(); start += SESSIONS) {
			convergePart(ids.subList(start, Math.min(start + SESSIONS, ids.size())));
		}
	}

	private void convergePart(List<String> ids) {
		Map<String, Lookup> rows = this.durableCircuit.call(() -> this.durable.load(ids));
		rows.forEach((id, row) -> {
			if (row instanceof Lookup.Hit hit) {
				this.redisCircuit.call(() -> this.convergence.convergeOrHide(hit.session()));
			}
			else if (row instanceof Lookup.Expired expired) {
				this.redisCircuit.call(() -> this.convergence.convergeOrHide(expired.session()));
			}
			else if (row instanceof Lookup.Ended) {
				this.redisCircuit.write(() -> this.endedCopies.endAll(List.of(new PendingRow(id, 1, null, false))));
			}
			else {
				// The row cannot be read: nor may its older copy be.
				this.redisCircuit.write(() -> {
					if (this.redis.find(id) instanceof Lookup.Hit hit) {
						this.redis.discard(hit.session());
					}
				});
			}
		});
	}

	/**
	 * What came of a comparison.
	 *
	 * @param differed how many differed
	 * @param complete whether all unpersisted ones could be persisted
	 */
	record Compared(long differed, boolean complete) {

	}

}

package io.github.resilientsession.reconcile;

import java.util.List;

import io.github.resilientsession.circuit.TierCircuit;
import io.github.resilientsession.circuit.TierUnavailableException;
import io.github.resilientsession.durable.DurableTier;
import io.github.resilientsession.durable.PendingRow;
import io.github.resilientsession.record.SessionHash;
import io.github.resilientsession.record.SessionStoreListener;
import io.github.resilientsession.redis.RedisTier;
import io.github.resilientsession.redis.RedisTierException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Tells Redis of the durable commits that it missed. It always puts the committed state
 * or the tombstone, and never just deletes: a rebuild that is in flight would put an
 * older state into the gap.
 */
public final class PendingReconciler {

	private static final int PAGE = 100;

	private static final Logger logger = LoggerFactory.getLogger(PendingReconciler.class);

	private final RedisTier redis;

	private final DurableTier durable;

	private final TierCircuit durableCircuit;

	private final SessionStoreListener listener;

	public PendingReconciler(RedisTier redis, DurableTier durable, TierCircuit durableCircuit,
			SessionStoreListener listener) {
		this.redis = redis;
		this.durable = durable;
		this.durableCircuit = durableCircuit;
		this.listener = listener;
	}

	/**
	 * Settle everything that is pending.
	 * @throws RedisTierException if Redis failed again
	 * @throws TierUnavailableException if the durable store cannot say what is pending
	 */
	public void settle() {
		int settled = 0;
		List<PendingRow> page;
		do {
			page = this.durableCircuit.call(() -> this.durable.pending(PAGE));
			int before = settled;
			for (PendingRow row : page) {
				settled += settle(row) ? 1 : 0;
			}
			if (settled == before) {
				break;
			}
		}
		while (page.size() == PAGE);
		if (settled > 0) {
			logger.info("Redis has been told of {} session writes that it had missed.", settled);
		}
	}

	private boolean settle(PendingRow row) {
		try {
			if (row.session() != null) {
				this.redis.converge(row.session());
			}
			else {
				this.redis.end(row.id(), row.version());
			}
		}
		catch (RedisTierException ex) {
			if (ex.kind() != RedisTierException.Kind.OUT_OF_MEMORY) {
				throw ex;
			}
			// The mark stays until a put succeeds.
			logger.debug("No room in Redis for session {}", SessionHash.of(row.id()));
			return false;
		}
		boolean cleared = this.durableCircuit.call(() -> this.durable.settled(row.id(), row.version()));
		if (cleared) {
			this.listener.onSettled();
		}
		return cleared;
	}

}

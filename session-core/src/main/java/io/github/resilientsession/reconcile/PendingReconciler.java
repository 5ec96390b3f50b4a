package io.github.resilientsession.reconcile;

import java.util.ArrayList;
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
	 * Settle, in one pass, everything that is pending when it begins.
	 * @throws RedisTierException if Redis failed again
	 * @throws TierUnavailableException if the durable store cannot say what is pending
	 */
	public void settle() {
		long settled = 0;
		String last = "";
		List<PendingRow> page;
		do {
			String after = last;
			page = this.durableCircuit.call(() -> this.durable.pending(after, PAGE));
			List<PendingRow> told = new ArrayList<>(page.size());
			for (PendingRow row : page) {
				last = row.id();
				if (tell(row)) {
					told.add(row);
				}
			}
			settled += told.size();
			if (!told.isEmpty()) {
				this.durableCircuit.write(() -> this.durable.settled(told));
			}
		}
		while (page.size() == PAGE);
		if (settled > 0) {
			logger.info("Redis has been told of {} session writes that it had missed.", settled);
		}
	}

	private boolean tell(PendingRow row) {
		try {
			if (row.session() != null) {
				this.redis.converge(row.session());
			}
			else {
				this.redis.end(row.id(), row.version());
			}
			this.listener.onSettled();
			return true;
		}
		catch (RedisTierException ex) {
			// This one cannot be put, for want of memory or because it is too large for
			// the time limit. Its mark stays until it can; meanwhile no old copy may be
			// read. If not even that works, Redis is not back.
			this.redis.discardCopy(row.id());
			logger.debug("Session {} could not be put into Redis", SessionHash.of(row.id()), ex);
			return false;
		}
	}

}

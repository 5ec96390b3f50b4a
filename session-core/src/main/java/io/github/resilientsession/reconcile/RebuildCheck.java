package io.github.resilientsession.reconcile;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;

import io.github.resilientsession.circuit.TierCircuit;
import io.github.resilientsession.circuit.TierUnavailableException;
import io.github.resilientsession.durable.DurableTier;
import io.github.resilientsession.durable.RowVersion;
import io.github.resilientsession.flow.RebuildWatch;
import io.github.resilientsession.record.SessionHash;
import io.github.resilientsession.record.SessionRecord;
import io.github.resilientsession.redis.RedisTier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Looks once more at the version of what was put back into Redis. Between a load and its
 * rebuild another node may have committed a newer state and have put its copy, and Redis
 * may have evicted just that: then the older state fills the gap, and nobody else would
 * notice.
 */
public final class RebuildCheck implements RebuildWatch {

	private static final int CAPACITY = 50_000;

	/**
	 * More than rebuilds can be on their way.
	 */
	private static final int HEADROOM = 5_000;

	private static final int BATCH = 1_000;

	private static final Logger logger = LoggerFactory.getLogger(RebuildCheck.class);

	private final RedisTier redis;

	private final TierCircuit redisCircuit;

	private final DurableTier durable;

	private final TierCircuit durableCircuit;

	private final BlockingQueue<SessionRecord> rebuilt = new ArrayBlockingQueue<>(CAPACITY);

	public RebuildCheck(RedisTier redis, TierCircuit redisCircuit, DurableTier durable, TierCircuit durableCircuit) {
		this.redis = redis;
		this.redisCircuit = redisCircuit;
		this.durable = durable;
		this.durableCircuit = durableCircuit;
	}

	@Override
	public boolean mayRebuild() {
		return this.rebuilt.remainingCapacity() > HEADROOM;
	}

	@Override
	public void rebuilt(SessionRecord session) {
		if (!this.rebuilt.offer(session)) {
			logger.debug("Session {} was put back into Redis and is not looked after", SessionHash.of(session.id()));
		}
	}

	/**
	 * Check what was put back since the last time.
	 * @throws TierUnavailableException if a store failed; what was not checked will be
	 */
	public void check() {
		List<SessionRecord> batch = new ArrayList<>();
		while (this.rebuilt.drainTo(batch, BATCH) > 0) {
			try {
				check(batch);
			}
			catch (TierUnavailableException ex) {
				batch.forEach(this::rebuilt);
				throw ex;
			}
			batch.clear();
		}
	}

	private void check(List<SessionRecord> batch) {
		Map<String, SessionRecord> copies = new LinkedHashMap<>();
		batch.forEach((session) -> copies.put(session.id(), session));
		Map<String, RowVersion> rows = this.durableCircuit.call(() -> this.durable.versions(copies.keySet()));
		copies.forEach((id, copy) -> {
			RowVersion row = rows.get(id);
			if (row == null || row.ended() || row.version() > copy.version()) {
				// Only if it is still this copy: whoever reads it next puts the newer
				// one.
				this.redisCircuit.write(() -> this.redis.discard(copy));
			}
		});
	}

}

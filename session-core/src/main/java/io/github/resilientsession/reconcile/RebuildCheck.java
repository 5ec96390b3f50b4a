package io.github.resilientsession.reconcile;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.stream.Collectors;

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

	private final Duration late;

	private final BlockingQueue<Rebuilt> rebuilt = new ArrayBlockingQueue<>(CAPACITY);

	/**
	 * Create a check.
	 * @param late how long after it was sent a command may still be executed
	 */
	public RebuildCheck(RedisTier redis, TierCircuit redisCircuit, DurableTier durable, TierCircuit durableCircuit,
			Duration late) {
		this.redis = redis;
		this.redisCircuit = redisCircuit;
		this.durable = durable;
		this.durableCircuit = durableCircuit;
		this.late = late;
	}

	@Override
	public boolean mayRebuild() {
		return this.rebuilt.remainingCapacity() > HEADROOM;
	}

	@Override
	public void rebuilt(SessionRecord session) {
		if (!this.rebuilt.offer(new Rebuilt(session, System.nanoTime() + this.late.toNanos()))) {
			logger.debug("Session {} was put back into Redis and is not looked after", SessionHash.of(session.id()));
		}
	}

	/**
	 * Check what was put back, as soon as it must be there.
	 * @throws TierUnavailableException if a store failed; what was not checked will be
	 */
	public void check() {
		List<SessionRecord> batch = new ArrayList<>();
		do {
			batch.clear();
			for (Rebuilt next = this.rebuilt.peek(); next != null && next.isDue()
					&& batch.size() < BATCH; next = this.rebuilt.peek()) {
				this.rebuilt.remove();
				batch.add(next.session());
			}
			try {
				check(batch);
			}
			catch (TierUnavailableException ex) {
				batch.forEach(this::rebuilt);
				throw ex;
			}
		}
		while (batch.size() == BATCH);
	}

	/**
	 * Discard those copies that are older than their rows, but for those with unpersisted
	 * writes, which are merged with the rows when those are persisted.
	 * @param batch copies that were put
	 * @throws TierUnavailableException if a store failed
	 */
	void check(List<SessionRecord> batch) {
		if (batch.isEmpty()) {
			return;
		}
		Set<String> ids = batch.stream().map(SessionRecord::id).collect(Collectors.toSet());
		Map<String, RowVersion> rows = this.durableCircuit.call(() -> this.durable.versions(ids));
		for (SessionRecord copy : batch) {
			RowVersion row = rows.get(copy.id());
			boolean older = row == null || row.ended() || row.version() > copy.version();
			if (older && copy.unpersisted().isEmpty()) {
				// Only if it is still this copy: whoever reads it next puts the newer
				// one.
				this.redisCircuit.write(() -> this.redis.discard(copy));
			}
		}
	}

	/**
	 * What was put back.
	 *
	 * @param due when it is there, if it ever will be, by {@link System#nanoTime()}
	 */
	private record Rebuilt(SessionRecord session, long due) {

		boolean isDue() {
			return System.nanoTime() - this.due >= 0;
		}

	}

}

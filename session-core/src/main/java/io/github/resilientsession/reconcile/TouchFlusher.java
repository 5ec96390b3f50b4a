package io.github.resilientsession.reconcile;

import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import io.github.resilientsession.circuit.TierCircuit;
import io.github.resilientsession.circuit.TierUnavailableException;
import io.github.resilientsession.durable.DurableSettings;
import io.github.resilientsession.durable.DurableTier;
import io.github.resilientsession.durable.Touch;
import io.github.resilientsession.record.SessionRecord;

/**
 * Gathers touches and writes them to the durable store in batches. A session is written
 * at most once per half of its grace; since a row expires only when its grace has passed
 * too, touches that are lost with a node log nobody out early. Safe for use by many
 * threads.
 */
public final class TouchFlusher implements Consumer<SessionRecord> {

	/**
	 * Touches that may wait; more are dropped until the next flush, and come again with
	 * the session's next request.
	 */
	private static final int CAPACITY = 100_000;

	private static final int BATCH = 500;

	private final DurableTier durable;

	private final TierCircuit durableCircuit;

	private final DurableSettings settings;

	private final ConcurrentHashMap<String, Touch> waiting = new ConcurrentHashMap<>();

	private final Cache<String, Instant> flushed;

	public TouchFlusher(DurableTier durable, TierCircuit durableCircuit, DurableSettings settings) {
		this.durable = durable;
		this.durableCircuit = durableCircuit;
		this.settings = settings;
		this.flushed = Caffeine.newBuilder()
			.maximumSize(CAPACITY)
			.expireAfterWrite(settings.touchGrace().plusSeconds(1))
			.build();
	}

	@Override
	public void accept(SessionRecord session) {
		Instant last = this.flushed.getIfPresent(session.id());
		Duration due = this.settings.graceFor(session.maxInactiveInterval()).dividedBy(2);
		if (last != null && session.lastAccessedTime().isBefore(last.plus(due))) {
			return;
		}
		if (this.waiting.size() < CAPACITY || this.waiting.containsKey(session.id())) {
			this.waiting.merge(session.id(), new Touch(session.id(), session.lastAccessedTime()),
					(one, other) -> one.lastAccessedTime().isBefore(other.lastAccessedTime()) ? other : one);
		}
	}

	/**
	 * Write what waits.
	 * @param deadline the {@link System#nanoTime()} at which to stop
	 * @throws TierUnavailableException if the durable store failed; what was not written
	 * keeps waiting
	 */
	public void flush(long deadline) {
		List<Touch> all = new ArrayList<>(this.waiting.values());
		for (int from = 0; from < all.size() && System.nanoTime() - deadline < 0; from += BATCH) {
			List<Touch> batch = all.subList(from, Math.min(from + BATCH, all.size()));
			this.durableCircuit.write(() -> this.durable.touch(batch));
			for (Touch touch : batch) {
				this.waiting.remove(touch.id(), touch);
				this.flushed.put(touch.id(), touch.lastAccessedTime());
			}
		}
	}

}

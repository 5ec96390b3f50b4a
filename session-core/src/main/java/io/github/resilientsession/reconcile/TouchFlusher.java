package io.github.resilientsession.reconcile;

import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
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
import io.github.resilientsession.record.SessionStoreListener;

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

	/**
	 * How often a touch is written that changes nothing: another transaction may have the
	 * row locked, or the row may have ended or know of a later access.
	 */
	private static final int MAX_ATTEMPTS = 30;

	private final DurableTier durable;

	private final TierCircuit durableCircuit;

	private final DurableSettings settings;

	private final SessionStoreListener listener;

	private final ConcurrentHashMap<String, Waiting> waiting = new ConcurrentHashMap<>();

	private final Cache<String, Instant> flushed;

	public TouchFlusher(DurableTier durable, TierCircuit durableCircuit, DurableSettings settings,
			SessionStoreListener listener) {
		this.durable = durable;
		this.durableCircuit = durableCircuit;
		this.settings = settings;
		this.listener = listener;
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
			this.waiting.merge(session.id(), new Waiting(new Touch(session.id(), session.lastAccessedTime()), 1),
					(one, other) -> one.time().isBefore(other.time()) ? other : one);
		}
	}

	/**
	 * How many touches wait to be written.
	 * @return the number, for metrics
	 */
	public int waiting() {
		return this.waiting.size();
	}

	/**
	 * Write what waits.
	 * @param deadline the {@link System#nanoTime()} at which to stop
	 * @throws TierUnavailableException if the durable store failed; what was not written
	 * keeps waiting
	 */
	public void flush(long deadline) {
		List<Waiting> all = new ArrayList<>(this.waiting.values());
		for (int from = 0; from < all.size() && System.nanoTime() - deadline < 0; from += BATCH) {
			List<Waiting> batch = all.subList(from, Math.min(from + BATCH, all.size()));
			Set<String> written = this.durableCircuit
				.call(() -> this.durable.touch(batch.stream().map(Waiting::touch).toList()));
			this.listener.onTouchesFlushed(written.size());
			for (Waiting one : batch) {
				String id = one.touch().id();
				if (written.contains(id) || one.attempts() == MAX_ATTEMPTS) {
					this.waiting.remove(id, one);
					this.flushed.put(id, one.time());
				}
				else {
					this.waiting.replace(id, one, new Waiting(one.touch(), one.attempts() + 1));
				}
			}
		}
	}

	/**
	 * A touch that waits.
	 *
	 * @param attempts which attempt the next one is
	 */
	private record Waiting(Touch touch, int attempts) {

		Instant time() {
			return this.touch.lastAccessedTime();
		}

	}

}

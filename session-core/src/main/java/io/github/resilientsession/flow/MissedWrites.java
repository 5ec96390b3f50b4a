package io.github.resilientsession.flow;

import java.util.List;
import java.util.concurrent.atomic.AtomicLong;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import io.github.resilientsession.circuit.TierUnavailableException;
import io.github.resilientsession.durable.PendingRow;
import io.github.resilientsession.redis.RedisTierException;

/**
 * The durable commits of this node that Redis has missed, remembered so that this node
 * can tell Redis as soon as it is back, also if the durable store has gone meanwhile. The
 * pending marks in the durable store are for all else: for a node that did not live to do
 * it, and for more than fits here. Thread-safe.
 */
final class MissedWrites {

	/**
	 * In bytes of attributes, and some for each session.
	 */
	private static final long MAX_BYTES = 32L * 1024 * 1024;

	private static final int BYTES_PER_SESSION = 500;

	private final AtomicLong forgotten = new AtomicLong();

	private volatile long settledUpTo;

	private final Cache<String, PendingRow> writes = Caffeine.newBuilder()
		.maximumWeight(MAX_BYTES)
		.<String, PendingRow>weigher((id, write) -> BYTES_PER_SESSION
				+ (int) Math.min((write.session() != null) ? write.session().attributeBytes() : 0, MAX_BYTES))
		.evictionListener((id, write, cause) -> this.forgotten.incrementAndGet())
		.executor(Runnable::run)
		.build();

	/**
	 * Remember what Redis was not told.
	 * @param write the state after it, or an end
	 */
	void add(PendingRow write) {
		this.writes.asMap()
			.merge(write.id(), write, (one,
					other) -> (one.session() == null || (other.session() != null && one.version() > other.version()))
							? one : other);
	}

	/**
	 * Tell Redis all that it has missed.
	 * @throws RedisTierException if Redis failed again
	 * @throws TierUnavailableException if what only a copy has could not be committed
	 */
	void tell(EndedCopies endedCopies, Convergence convergence) {
		for (PendingRow write : this.writes.asMap().values()) {
			boolean told = true;
			if (write.session() != null) {
				told = convergence.replaceOlder(write.session());
			}
			else {
				told = endedCopies.endAll(List.of(write)).contains(write.id());
			}
			if (told) {
				this.writes.asMap().remove(write.id(), write);
			}
		}
	}

	/**
	 * Whether every write that this node has missed to tell is either told or remembered.
	 */
	boolean isComplete() {
		return this.settledUpTo == forgotten();
	}

	/**
	 * How many writes were neither told nor remembered.
	 */
	long forgotten() {
		return this.forgotten.get();
	}

	/**
	 * All that was pending in the durable store has been told.
	 * @param forgottenBefore what {@link #forgotten()} was before that began
	 */
	void settled(long forgottenBefore) {
		this.settledUpTo = forgottenBefore;
	}

}

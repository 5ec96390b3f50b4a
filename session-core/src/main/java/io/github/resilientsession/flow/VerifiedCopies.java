package io.github.resilientsession.flow;

import java.time.Duration;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import io.github.resilientsession.record.SessionRecord;

/**
 * What this node has learned from the durable store during a suspicion of Redis: the
 * version that each session had at least since then. A copy of that version or a later
 * one cannot be from before. Thread-safe.
 */
final class VerifiedCopies {

	private static final int CAPACITY = 100_000;

	private final Cache<String, Verified> versions = Caffeine.newBuilder()
		.maximumSize(CAPACITY)
		.expireAfterWrite(Duration.ofMinutes(10))
		.build();

	/**
	 * Remember a row.
	 * @param row the row
	 * @param epoch the suspicion in which it was asked for
	 */
	void add(SessionRecord row, long epoch) {
		this.versions.asMap()
			.merge(row.id(), new Verified(epoch, row.version()), (one, other) -> (one.epoch() > other.epoch()
					|| (one.epoch() == other.epoch() && one.version() > other.version())) ? one : other);
	}

	/**
	 * Whether a copy is not older than what was learned.
	 * @param copy the copy
	 * @param epoch the present suspicion
	 */
	boolean contains(SessionRecord copy, long epoch) {
		Verified verified = this.versions.getIfPresent(copy.id());
		return verified != null && verified.epoch() == epoch && copy.version() >= verified.version();
	}

	/**
	 * A version that the durable store had.
	 */
	private record Verified(long epoch, long version) {

	}

}

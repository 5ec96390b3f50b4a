package io.github.resilientsession.record;

import java.time.Duration;

/**
 * Is told what the stores do, for metrics and alarms. Every method does nothing by
 * default. Listeners are called on the thread of the event, outside locks: they must be
 * fast, must not throw and must be safe for use by many threads.
 */
public interface SessionStoreListener {

	/**
	 * A listener that does nothing.
	 */
	SessionStoreListener NO_OP = new SessionStoreListener() {
	};

	/**
	 * Redis answered with the session.
	 */
	default void onRedisHit() {
	}

	/**
	 * Redis answered that it has no such session, but the durable store has it: Redis
	 * lost it.
	 */
	default void onLostByRedis() {
	}

	/**
	 * Redis did not answer a read, and the durable store was asked instead.
	 */
	default void onRedisUnavailable() {
	}

	/**
	 * The durable store had a live session that Redis did not give: without it, that user
	 * would have been logged out, or got an error.
	 */
	default void onFalseLogoutAvoided() {
	}

	/**
	 * A read found no session, and Redis was there to be asked: it was never there, has
	 * expired or has ended.
	 */
	default void onUnknown() {
	}

	/**
	 * Redis did not give the session, or one that may be old, and the durable store could
	 * not say: a 503.
	 */
	default void onUnanswered() {
	}

	/**
	 * A read joined another read of the same session that was already under way.
	 */
	default void onCoalesced() {
	}

	/**
	 * One query to the durable store loaded a batch of distinct sessions.
	 * @param size how many ids it asked for
	 * @param took how long the query took
	 */
	default void onBatchLoaded(int size, Duration took) {
	}

	/**
	 * A read was turned away because too many waited already, or because it waited too
	 * long.
	 */
	default void onShed() {
	}

	/**
	 * A session was put back into Redis.
	 */
	default void onRebuilt() {
	}

	/**
	 * A save met a newer state of the session and was merged into it.
	 */
	default void onMerged() {
	}

	/**
	 * A save came after the session's end and was dropped.
	 */
	default void onLateSaveDropped() {
	}

	/**
	 * A write was committed durably, but Redis could not be told: it will be.
	 */
	default void onRedisPending() {
	}

	/**
	 * Redis was brought to agree with a write that it had missed.
	 */
	default void onSettled() {
	}

	/**
	 * A write was acknowledged that only Redis has, since the durable store was not
	 * there: it is lost if Redis loses its data before the durable store is back. Called
	 * on the thread that saves, before the acknowledgement.
	 */
	default void onUnpersisted() {
	}

	/**
	 * Redis has lost a write before the durable store was back to take it.
	 */
	default void onUnpersistedLost() {
	}

	/**
	 * An attribute, a copy or a row could not be read and was left aside.
	 */
	default void onQuarantined() {
	}

	/**
	 * A session asked for a max inactive interval outside the allowed range.
	 */
	default void onTtlClamped() {
	}

	/**
	 * A session in Redis had no TTL.
	 * @param repaired whether it has been given one
	 */
	default void onTtlMissing(boolean repaired) {
	}

	/**
	 * A tombstone was sent to Redis: a session has ended.
	 */
	default void onTombstone() {
	}

	/**
	 * Touches were written to the durable store in one batch.
	 * @param count how many
	 */
	default void onTouchesFlushed(int count) {
	}

	/**
	 * A tier's circuit breaker opened or closed.
	 * @param tier the tier: {@code redis} or {@code durable}
	 * @param open whether the tier is cut off now
	 */
	default void onBreaker(String tier, boolean open) {
	}

}

package io.github.resilientsession.checker;

import io.github.resilientsession.record.SessionStoreListener;

/**
 * Puts on the timeline what a node says of its stores, and knows what it said while the
 * current thread was saving.
 */
final class NodeWatch implements SessionStoreListener, AutoCloseable {

	private static final ThreadLocal<Boolean> UNPERSISTED = ThreadLocal.withInitial(() -> false);

	private static final ThreadLocal<Boolean> BLIND = ThreadLocal.withInitial(() -> false);

	private final Timeline timeline;

	private final int node;

	private Timeline.Period redisCutOff;

	private Timeline.Period databaseDown;

	private Timeline.Period databaseAway;

	NodeWatch(Timeline timeline, int node) {
		this.timeline = timeline;
		this.node = node;
	}

	/**
	 * To be called before a write.
	 */
	static void beforeWrite() {
		UNPERSISTED.set(false);
	}

	/**
	 * To be called before a read, which the thread's next write goes with.
	 */
	static void beforeRead() {
		BLIND.set(false);
	}

	/**
	 * Whether the last read of this thread, or a write since, did not get through to
	 * Redis.
	 */
	static boolean wasBlind() {
		return BLIND.get();
	}

	/**
	 * Whether the write of this thread is kept in Redis only.
	 */
	static boolean wasUnpersisted() {
		return UNPERSISTED.get();
	}

	@Override
	public void onUnpersisted() {
		UNPERSISTED.set(true);
	}

	@Override
	public void onRedisUnavailable() {
		BLIND.set(true);
	}

	@Override
	public void onRedisPending() {
		BLIND.set(true);
	}

	@Override
	public synchronized void onBreaker(String tier, boolean open) {
		if ("redis".equals(tier)) {
			this.redisCutOff = next(this.redisCutOff, open ? this.timeline.redisCutOff(this.node) : null);
		}
		else {
			this.databaseDown = next(this.databaseDown, open ? this.timeline.databaseDown(this.node) : null);
			this.databaseAway = next(this.databaseAway, open ? this.timeline.databaseAway(this.node) : null);
		}
	}

	private static Timeline.Period next(Timeline.Period former, Timeline.Period next) {
		if (former != null) {
			former.end();
		}
		return next;
	}

	@Override
	public synchronized void close() {
		onBreaker("redis", false);
		onBreaker("durable", false);
	}

}

package io.github.resilientsession.reconcile;

import java.time.Duration;

import io.github.resilientsession.circuit.TierCircuit;

/**
 * The background thread that, once per interval, makes durable what is not yet (touches,
 * and writes that only Redis has), tells Redis what it has missed, and looks after what
 * was put back into Redis.
 */
public final class Reconciler implements AutoCloseable {

	/**
	 * How long one pass of persisting may hold up the other work.
	 */
	private static final Duration PASS = Duration.ofSeconds(1);

	/**
	 * How long the last pass may take.
	 */
	private static final Duration LAST_PASS = Duration.ofSeconds(5);

	private final TouchFlusher touches;

	private final UnpersistedReconciler unpersisted;

	private final Runnable settle;

	private final RebuildCheck rebuilds;

	private final TierCircuit redisCircuit;

	private final TierCircuit durableCircuit;

	private final BackgroundThread thread;

	private final FailureLog touchFailures = new FailureLog("Writing last accesses to the database");

	private final FailureLog persistFailures = new FailureLog("Persisting what only Redis has");

	private final FailureLog settleFailures = new FailureLog("Telling Redis what it has missed");

	private final FailureLog rebuildFailures = new FailureLog("Checking what was put back into Redis");

	/**
	 * Create a reconciler, not started.
	 * @param settle tells Redis of what it has missed
	 * @param interval how often to do it all
	 */
	public Reconciler(TouchFlusher touches, UnpersistedReconciler unpersisted, Runnable settle, RebuildCheck rebuilds,
			TierCircuit redisCircuit, TierCircuit durableCircuit, Duration interval) {
		this.touches = touches;
		this.unpersisted = unpersisted;
		this.settle = settle;
		this.rebuilds = rebuilds;
		this.redisCircuit = redisCircuit;
		this.durableCircuit = durableCircuit;
		this.thread = new BackgroundThread("resilient-session-reconcile", "Reconciling", interval, this::run);
	}

	/**
	 * Start the thread.
	 */
	public void start() {
		this.thread.start();
	}

	private void run() {
		flushTouches(System.nanoTime() + PASS.toNanos());
		if (!this.redisCircuit.isOpen()) {
			attempt(this.settleFailures, this.settle);
		}
		if (!this.durableCircuit.isOpen() && !this.redisCircuit.isOpen()) {
			attempt(this.rebuildFailures, this.rebuilds::check);
		}
		persist(System.nanoTime() + PASS.toNanos());
	}

	private void flushTouches(long deadline) {
		if (!this.durableCircuit.isOpen()) {
			attempt(this.touchFailures, () -> this.touches.flush(deadline));
		}
	}

	private void persist(long deadline) {
		if (!this.durableCircuit.isOpen() && !this.redisCircuit.isOpen()) {
			attempt(this.persistFailures, () -> this.unpersisted.persist(deadline));
		}
	}

	private static void attempt(FailureLog failures, Runnable task) {
		try {
			task.run();
			failures.succeeded();
		}
		// Also an Error: what comes next does not depend on it.
		catch (RuntimeException | Error ex) {
			failures.failed(ex);
		}
	}

	/**
	 * Stop the thread and make durable what is not yet. Takes no longer than three times
	 * the length of the last pass and what the last statement takes, also while stores
	 * are down.
	 */
	@Override
	public void close() {
		this.thread.stop(LAST_PASS.multipliedBy(2));
		long deadline = System.nanoTime() + LAST_PASS.toNanos();
		flushTouches(deadline);
		persist(deadline);
		if (!this.durableCircuit.isOpen() && !this.redisCircuit.isOpen()) {
			attempt(this.rebuildFailures, this.rebuilds::check);
		}
	}

}

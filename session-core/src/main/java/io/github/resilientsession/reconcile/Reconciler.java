package io.github.resilientsession.reconcile;

import java.time.Duration;

import io.github.resilientsession.circuit.TierCircuit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The background thread that flushes touches and settles what is pending, once per
 * interval.
 */
public final class Reconciler implements AutoCloseable {

	/**
	 * How long one pass of persisting may hold up the other work.
	 */
	private static final Duration PASS = Duration.ofSeconds(5);

	private static final Logger logger = LoggerFactory.getLogger(Reconciler.class);

	private final TouchFlusher touches;

	private final UnpersistedReconciler unpersisted;

	private final Runnable settle;

	private final RebuildCheck rebuilds;

	private final TierCircuit redisCircuit;

	private final TierCircuit durableCircuit;

	private final BackgroundThread thread;

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
		this.thread = new BackgroundThread("resilient-session-reconcile", interval, this::run);
	}

	/**
	 * Start the thread.
	 */
	public void start() {
		this.thread.start();
	}

	private void run() {
		long deadline = System.nanoTime() + PASS.toNanos();
		flush(deadline);
		if (!this.redisCircuit.isOpen()) {
			attempt(this.settle);
		}
		if (!this.durableCircuit.isOpen() && !this.redisCircuit.isOpen()) {
			attempt(this.rebuilds::check);
		}
	}

	/**
	 * Make durable what is not yet.
	 */
	private void flush(long deadline) {
		if (!this.durableCircuit.isOpen()) {
			attempt(() -> this.touches.flush(deadline));
		}
		if (!this.durableCircuit.isOpen() && !this.redisCircuit.isOpen()) {
			attempt(() -> this.unpersisted.persist(deadline));
		}
	}

	private static void attempt(Runnable task) {
		try {
			task.run();
		}
		// Also an Error: what comes next does not depend on it.
		catch (RuntimeException | Error ex) {
			logger.debug("Will be tried again", ex);
		}
	}

	/**
	 * Stop the thread and make durable what is not yet. Takes no longer than three times
	 * the length of a pass and what the last statement takes, also while stores are down.
	 */
	@Override
	public void close() {
		this.thread.stop(PASS.multipliedBy(2));
		flush(System.nanoTime() + PASS.toNanos());
	}

}

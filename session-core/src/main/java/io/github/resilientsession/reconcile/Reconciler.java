package io.github.resilientsession.reconcile;

import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

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

	private final PendingReconciler pending;

	private final TierCircuit redisCircuit;

	private final TierCircuit durableCircuit;

	private final Duration interval;

	private final CountDownLatch closed = new CountDownLatch(1);

	private final Thread thread;

	public Reconciler(TouchFlusher touches, UnpersistedReconciler unpersisted, PendingReconciler pending,
			TierCircuit redisCircuit, TierCircuit durableCircuit, Duration interval) {
		this.touches = touches;
		this.unpersisted = unpersisted;
		this.pending = pending;
		this.redisCircuit = redisCircuit;
		this.durableCircuit = durableCircuit;
		this.interval = interval;
		this.thread = new Thread(this::run, "resilient-session-reconcile");
		this.thread.setDaemon(true);
	}

	/**
	 * Start the thread.
	 */
	public void start() {
		this.thread.start();
	}

	private void run() {
		try {
			while (!this.closed.await(this.interval.toNanos(), TimeUnit.NANOSECONDS)) {
				long deadline = System.nanoTime() + PASS.toNanos();
				flush(deadline);
				if (!this.durableCircuit.isOpen() && !this.redisCircuit.isOpen()) {
					attempt(this.pending::settle);
				}
			}
		}
		catch (InterruptedException ex) {
			Thread.currentThread().interrupt();
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
		// Also an Error: nothing would be reconciled any more without this thread.
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
		this.closed.countDown();
		try {
			this.thread.join(2 * PASS.toMillis());
		}
		catch (InterruptedException ex) {
			Thread.currentThread().interrupt();
		}
		flush(System.nanoTime() + PASS.toNanos());
	}

}

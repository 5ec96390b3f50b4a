package io.github.resilientsession.circuit;

import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Looks, on a thread of its own, whether a tier that is cut off is back. While a circuit
 * is closed it probes only once a second, which keeps what a probe learns fresh.
 */
public final class TierProber implements AutoCloseable {

	private static final Duration IDLE_INTERVAL = Duration.ofSeconds(1);

	private static final Duration FLAPPING = Duration.ofSeconds(10);

	private static final int MAX_DOUBLINGS = 5;

	private static final Logger logger = LoggerFactory.getLogger(TierProber.class);

	private final TierCircuit circuit;

	private final Runnable probe;

	private final Runnable beforeClose;

	private final Duration interval;

	private final CountDownLatch firstProbe = new CountDownLatch(1);

	private final Semaphore wake = new Semaphore(0);

	private volatile boolean closed;

	private long closedAt;

	private int flaps;

	private int failures;

	private final Thread thread;

	/**
	 * Create a prober.
	 * @param name the name of its thread
	 * @param circuit the circuit to close
	 * @param probe throws as long as the tier is not back
	 * @param beforeClose what must be done before the tier is trusted again; if it
	 * throws, the circuit stays open
	 * @param interval how long to wait between two probes of a tier that is cut off
	 */
	public TierProber(String name, TierCircuit circuit, Runnable probe, Runnable beforeClose, Duration interval) {
		this.circuit = circuit;
		this.probe = probe;
		this.beforeClose = beforeClose;
		this.interval = interval;
		circuit.whenOpened(this.wake::release);
		this.thread = new Thread(this::run, name);
		this.thread.setDaemon(true);
	}

	/**
	 * Start probing, and wait for the first answer so that an application's first
	 * requests find a tier that is up connected.
	 * @param wait how long to wait at most
	 */
	public void start(Duration wait) {
		this.thread.start();
		try {
			if (!this.firstProbe.await(wait.toNanos(), TimeUnit.NANOSECONDS)) {
				logger.debug("The first probe did not end within {}", wait);
			}
		}
		catch (InterruptedException ex) {
			Thread.currentThread().interrupt();
		}
	}

	/**
	 * Probe soon, though nothing has failed.
	 */
	public void wake() {
		this.wake.release();
	}

	private void run() {
		try {
			while (!this.closed) {
				this.wake.drainPermits();
				boolean back = probeOnce();
				this.firstProbe.countDown();
				// A circuit that opens while it is closed is looked at at once, one whose
				// probe failed after a pause.
				if (back && !this.circuit.isOpen()) {
					if (this.wake.tryAcquire(IDLE_INTERVAL.toNanos(), TimeUnit.NANOSECONDS)) {
						backOff();
					}
				}
				else {
					TimeUnit.NANOSECONDS.sleep(this.interval.toNanos());
				}
			}
		}
		catch (InterruptedException ex) {
			Thread.currentThread().interrupt();
		}
	}

	/**
	 * A tier that answers probes but fails calls would open and close its circuit all the
	 * time: each time it opens soon after it closed, it stays open for longer.
	 */
	private void backOff() throws InterruptedException {
		boolean soon = this.closedAt != 0 && System.nanoTime() - this.closedAt < FLAPPING.toNanos();
		this.flaps = soon ? Math.min(this.flaps + 1, MAX_DOUBLINGS) : 0;
		if (this.flaps > 0) {
			TimeUnit.NANOSECONDS.sleep(this.interval.toNanos() << this.flaps);
		}
	}

	private boolean probeOnce() {
		try {
			this.probe.run();
			this.failures = 0;
			if (this.circuit.isOpen()) {
				settleAndClose();
			}
			return true;
		}
		// Also an Error: without its prober a circuit would stay open forever.
		catch (RuntimeException | Error ex) {
			logger.debug("Probe failed", ex);
			// A node that only reads might never notice that nobody can write any more.
			if (this.firstProbe.getCount() > 0 || this.circuit.isOpen() || ++this.failures > 1) {
				// Let no request find out what is known at the start.
				this.circuit.cutOff(ex);
			}
			return false;
		}
	}

	private void settleAndClose() {
		this.circuit.settle();
		try {
			this.beforeClose.run();
			if (this.circuit.close()) {
				this.closedAt = System.nanoTime();
			}
		}
		finally {
			this.circuit.stopSettling();
		}
	}

	@Override
	public void close() {
		this.closed = true;
		this.thread.interrupt();
	}

}

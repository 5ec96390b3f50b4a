package io.github.resilientsession.checker;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * Measures how long the machine keeps everybody waiting: a thread that only sleeps for a
 * short time finds out how much later than that it is woken. The idea is that of jHiccup.
 */
final class Hiccups implements AutoCloseable {

	private static final long SLEEP = TimeUnit.MILLISECONDS.toNanos(10);

	/**
	 * What is shorter is usual where servers, nodes and clients share two processors.
	 */
	private static final long SHORTEST = TimeUnit.MILLISECONDS.toNanos(50);

	private final Timeline timeline;

	private final Figures figures;

	private final CountDownLatch closed = new CountDownLatch(1);

	private final Thread thread = new Thread(this::measure, "checker-hiccups");

	Hiccups(Timeline timeline, Figures figures) {
		this.timeline = timeline;
		this.figures = figures;
		this.thread.setDaemon(true);
	}

	void start() {
		this.thread.start();
	}

	private void measure() {
		try {
			long due = this.timeline.now() + SLEEP;
			while (!this.closed.await(SLEEP, TimeUnit.NANOSECONDS)) {
				long now = this.timeline.now();
				if (now - due > SHORTEST) {
					this.timeline.hiccup(due, now);
					this.figures.highest("longest hiccup of the machine, ms", (now - due) / 1_000_000);
				}
				due = this.timeline.now() + SLEEP;
			}
		}
		catch (InterruptedException ex) {
			Thread.currentThread().interrupt();
		}
	}

	@Override
	public void close() {
		this.closed.countDown();
	}

}

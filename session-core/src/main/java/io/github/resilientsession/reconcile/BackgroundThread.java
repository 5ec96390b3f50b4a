package io.github.resilientsession.reconcile;

import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * A thread of the library's own that does a task over and over, with a pause before each
 * time. What the task throws ends that one run only.
 */
public final class BackgroundThread {

	private final Duration interval;

	private final Task task;

	private final CountDownLatch stopped = new CountDownLatch(1);

	private final Thread thread;

	private final FailureLog failures;

	/**
	 * Create a thread, not started.
	 * @param name its name
	 * @param work what the log calls its task
	 * @param interval the pause before each run
	 * @param task what it does
	 */
	public BackgroundThread(String name, String work, Duration interval, Task task) {
		this.failures = new FailureLog(work);
		this.interval = interval;
		this.task = task;
		this.thread = new Thread(this::run, name);
		this.thread.setDaemon(true);
	}

	/**
	 * Start the thread; once at most.
	 */
	public void start() {
		this.thread.start();
	}

	private void run() {
		try {
			while (!this.stopped.await(this.interval.toNanos(), TimeUnit.NANOSECONDS)) {
				runOnce();
			}
		}
		catch (InterruptedException ex) {
			Thread.currentThread().interrupt();
		}
	}

	private void runOnce() throws InterruptedException {
		try {
			this.task.run();
			this.failures.succeeded();
		}
		// Also an Error: nobody would do this any more without this thread.
		catch (RuntimeException | Error ex) {
			this.failures.failed(ex);
		}
	}

	/**
	 * Pause within the task.
	 * @param duration for how long
	 * @throws InterruptedException if the thread is to stop
	 */
	void pause(Duration duration) throws InterruptedException {
		if (this.stopped.await(duration.toNanos(), TimeUnit.NANOSECONDS)) {
			throw new InterruptedException("The application is shutting down");
		}
	}

	/**
	 * Let the task end and do it no more.
	 * @param wait how long to wait at most for a task that is being done
	 */
	public void stop(Duration wait) {
		this.stopped.countDown();
		if (!this.thread.isAlive()) {
			return;
		}
		try {
			this.thread.join(wait.toMillis());
		}
		catch (InterruptedException ex) {
			Thread.currentThread().interrupt();
		}
	}

	/**
	 * What such a thread does.
	 */
	@FunctionalInterface
	public interface Task {

		/**
		 * Do it once.
		 * @throws InterruptedException if it paused and the thread is to stop
		 */
		void run() throws InterruptedException;

	}

}

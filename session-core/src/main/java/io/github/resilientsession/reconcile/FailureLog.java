package io.github.resilientsession.reconcile;

import java.time.Duration;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Tells the operator of background work that keeps failing though its stores are there,
 * since nobody else would notice. A few failures in a row are part of any outage. Used by
 * one thread.
 */
final class FailureLog {

	private static final int TOO_OFTEN = 20;

	private static final Duration REMINDER = Duration.ofHours(1);

	private static final Logger logger = LoggerFactory.getLogger(FailureLog.class);

	private final String work;

	private int failures;

	private long lastWarning;

	FailureLog(String work) {
		this.work = work;
	}

	void succeeded() {
		this.failures = 0;
	}

	void failed(Throwable failure) {
		this.failures++;
		boolean due = this.failures == TOO_OFTEN
				|| (this.failures > TOO_OFTEN && System.nanoTime() - this.lastWarning >= REMINDER.toNanos());
		if (!due) {
			logger.debug("{} failed and will be tried again", this.work, failure);
			return;
		}
		this.lastWarning = System.nanoTime();
		logger
			.warn("{} has failed {} times in a row, though both stores answer, and is tried again. Look for a missing "
					+ "right or a full store. The last failure:", this.work, this.failures, failure);
	}

}

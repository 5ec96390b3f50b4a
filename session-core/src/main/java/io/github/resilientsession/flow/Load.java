package io.github.resilientsession.flow;

import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

import io.github.resilientsession.circuit.TierUnavailableException;
import io.github.resilientsession.record.Lookup;

/**
 * One load of one session from the durable store, shared by the reads that may share it.
 * Times are those of {@link System#nanoTime()}.
 */
final class Load {

	private final String id;

	private final long queuedAt = System.nanoTime();

	private final CompletableFuture<Lookup> answer = new CompletableFuture<>();

	private volatile boolean queried;

	private volatile long queriedAt;

	private volatile long trustEpoch;

	private volatile boolean completed;

	private volatile long completedAt;

	Load(String id) {
		this.id = id;
	}

	String id() {
		return this.id;
	}

	/**
	 * Whether a read may take this load's answer without seeing a state older than what
	 * was acknowledged when the read began. It may if the query is issued after the read
	 * began. It also may if the Redis that was there when the query was issued answered
	 * the read with a miss while the load was under way: a write acknowledged in between
	 * would have put its copy there.
	 */
	boolean mayServe(long readBegan, long missEpoch) {
		if (!this.queried || this.queriedAt - readBegan >= 0) {
			return !this.completed || !(this.answer.getNow(null) instanceof Lookup.Unavailable);
		}
		return missEpoch == this.trustEpoch && (!this.completed || this.completedAt - readBegan >= 0);
	}

	long trustEpoch() {
		return this.trustEpoch;
	}

	boolean isOlderThan(Duration limit) {
		return System.nanoTime() - this.queuedAt > limit.toNanos();
	}

	/**
	 * Its query is about to be issued.
	 */
	void queried(long epoch) {
		this.trustEpoch = epoch;
		this.queriedAt = System.nanoTime();
		this.queried = true;
	}

	void complete(Lookup lookup) {
		this.completedAt = System.nanoTime();
		this.completed = true;
		this.answer.complete(lookup);
	}

	/**
	 * Wait for the answer. An interrupt is kept for later, as for a short wait it may be.
	 */
	Lookup await(Duration limit) {
		boolean interrupted = false;
		long deadline = System.nanoTime() + limit.toNanos();
		try {
			while (true) {
				try {
					return this.answer.get(deadline - System.nanoTime(), TimeUnit.NANOSECONDS);
				}
				catch (InterruptedException ex) {
					interrupted = true;
				}
			}
		}
		catch (TimeoutException | ExecutionException ex) {
			return new Lookup.Unavailable(
					new TierUnavailableException("It was not loaded within " + limit.toMillis() + " ms", ex));
		}
		finally {
			if (interrupted) {
				Thread.currentThread().interrupt();
			}
		}
	}

}

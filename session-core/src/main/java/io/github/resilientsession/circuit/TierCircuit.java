package io.github.resilientsession.circuit;

import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import java.util.function.Supplier;

import io.github.resilience4j.circuitbreaker.CircuitBreaker;
import io.github.resilience4j.circuitbreaker.CircuitBreakerConfig;
import io.github.resilience4j.circuitbreaker.CircuitBreakerConfig.SlidingWindowType;
import io.github.resilientsession.record.SessionStoreListener;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A circuit breaker around one tier. It opens by itself, but only {@link #close()} closes
 * it: no user's request is ever spent on finding out whether the tier is back. Safe for
 * use by many threads.
 */
public final class TierCircuit {

	/**
	 * Resilience4j would half-open after this, and let a user's call be the probe.
	 */
	private static final Duration NEVER = Duration.ofDays(3650);

	private static final Logger logger = LoggerFactory.getLogger(TierCircuit.class);

	private final String tier;

	private final CircuitBreaker breaker;

	private final Predicate<Throwable> answered;

	private final SessionStoreListener listener;

	/**
	 * Guards the change of state; nothing is waited for while it is held.
	 */
	private final Object transition = new Object();

	private volatile boolean settling;

	private boolean missedWhileSettling;

	private volatile @Nullable Throwable lastFailure;

	private volatile long closedAt = System.nanoTime();

	private volatile long openedAt = System.nanoTime();

	/**
	 * Whether anybody has been told that the circuit is open.
	 */
	private boolean announced;

	private volatile Runnable whenOpened = () -> {
	};

	/**
	 * Create a closed circuit.
	 * @param tier the tier's name in logs and metrics
	 * @param settings when it opens
	 * @param answered which failures are an answer all the same: they are thrown, but do
	 * not count
	 * @param listener is told when it opens and closes
	 */
	public TierCircuit(String tier, CircuitSettings settings, Predicate<Throwable> answered,
			SessionStoreListener listener) {
		this.tier = tier;
		this.answered = answered;
		this.listener = listener;
		this.breaker = CircuitBreaker.of("resilient-session-" + tier,
				CircuitBreakerConfig.custom()
					.slidingWindow(settings.slidingWindowSize(), settings.minimumCalls(), SlidingWindowType.COUNT_BASED)
					.failureRateThreshold(settings.failureRateThreshold())
					.waitDurationInOpenState(NEVER)
					.build());
	}

	/**
	 * Call the tier.
	 * @param <T> what it answers
	 * @param call the call, which keeps to the tier's time limit by itself
	 * @return the answer
	 * @throws TierUnavailableException if the circuit is open or the call failed
	 */
	public <T> T call(Supplier<T> call) {
		if (!this.breaker.tryAcquirePermission()) {
			throw new TierUnavailableException("The " + this.tier + " tier is cut off: its circuit breaker is open",
					this.lastFailure);
		}
		// An interrupted caller is no failure of the tier, and its write is not left half
		// done.
		boolean interrupted = Thread.interrupted();
		long start = System.nanoTime();
		try {
			T answer = call.get();
			this.breaker.onSuccess(System.nanoTime() - start, TimeUnit.NANOSECONDS);
			return answer;
		}
		catch (RuntimeException ex) {
			failed(ex, System.nanoTime() - start);
			throw new TierUnavailableException("The " + this.tier + " tier failed: " + ex.getMessage(), ex);
		}
		finally {
			if (interrupted) {
				Thread.currentThread().interrupt();
			}
		}
	}

	private void failed(RuntimeException ex, long nanos) {
		if (this.answered.test(ex)) {
			this.breaker.onSuccess(nanos, TimeUnit.NANOSECONDS);
			return;
		}
		boolean wasOpen = isOpen();
		this.breaker.onError(nanos, TimeUnit.NANOSECONDS, ex);
		if (isOpen() && !wasOpen) {
			this.lastFailure = ex;
			synchronized (this.transition) {
				this.announced = true;
			}
			opened(ex);
		}
	}

	/**
	 * Tell the tier of a write: like {@link #call(Supplier)}, but also while the circuit
	 * is settling.
	 * @param write the write, which keeps to the tier's time limit by itself
	 * @throws TierUnavailableException if the circuit is open or the write failed
	 */
	public void write(Runnable write) {
		reach(() -> {
			write.run();
			return true;
		});
	}

	/**
	 * Ask the tier what a write depends on: like {@link #call(Supplier)}, but also while
	 * the circuit is settling.
	 * @param <T> what it answers
	 * @param call the call, which keeps to the tier's time limit by itself
	 * @return the answer
	 * @throws TierUnavailableException if the circuit is open or the call failed
	 */
	public <T> T reach(Supplier<T> call) {
		if (!this.settling) {
			return call(call);
		}
		try {
			return call.get();
		}
		catch (RuntimeException ex) {
			throw new TierUnavailableException("The " + this.tier + " tier failed again: " + ex.getMessage(), ex);
		}
	}

	/**
	 * Cut the tier off, because it missed a write: until that is settled, a read could
	 * see the state before it.
	 * @param cause why it missed the write
	 */
	public void open(Throwable cause) {
		synchronized (this.transition) {
			this.missedWhileSettling = this.settling;
		}
		cutOff(cause);
	}

	/**
	 * Cut the tier off, or leave it so, because it is known not to be there.
	 */
	void cutOff(Throwable cause) {
		this.lastFailure = cause;
		synchronized (this.transition) {
			if (isOpen() && this.announced) {
				return;
			}
			if (!isOpen()) {
				this.breaker.transitionToOpenState();
			}
			this.announced = true;
		}
		opened(cause);
	}

	/**
	 * Keep every call away from the tier until a probe has found it ready, without
	 * calling that a failure.
	 */
	public void openUntilProbed() {
		synchronized (this.transition) {
			this.breaker.transitionToOpenState();
		}
	}

	/**
	 * Run something when the circuit opens, on the thread of the call that opened it.
	 */
	void whenOpened(Runnable task) {
		this.whenOpened = task;
	}

	/**
	 * Whether {@link #write(Runnable)} reaches the tier.
	 * @return whether the circuit is closed or settling
	 */
	public boolean takesWrites() {
		return this.settling || !isOpen();
	}

	/**
	 * Let writes through, until {@link #close()} or {@link #stopSettling()}.
	 */
	void settle() {
		synchronized (this.transition) {
			this.missedWhileSettling = false;
			this.settling = true;
		}
	}

	/**
	 * Turn writes away again, unless the circuit has closed.
	 */
	void stopSettling() {
		synchronized (this.transition) {
			this.settling = false;
		}
	}

	/**
	 * Whether calls are turned away.
	 * @return whether the circuit is open
	 */
	public boolean isOpen() {
		return this.breaker.getState() == CircuitBreaker.State.OPEN;
	}

	/**
	 * Let calls through again, unless the tier has missed another write meanwhile.
	 * @return whether the circuit is closed
	 */
	boolean close() {
		boolean tell;
		synchronized (this.transition) {
			if (!isOpen()) {
				return true;
			}
			if (this.missedWhileSettling) {
				return false;
			}
			this.breaker.transitionToClosedState();
			this.settling = false;
			this.closedAt = System.nanoTime();
			tell = this.announced;
			this.announced = false;
		}
		if (tell) {
			this.listener.onBreaker(this.tier, false);
			logger.info("The {} tier is back: its circuit breaker has closed.", this.tier);
		}
		return true;
	}

	/**
	 * How long the circuit has been open or closed as it is now.
	 * @return the time since it opened or closed last
	 */
	public Duration unchangedFor() {
		return Duration.ofNanos(System.nanoTime() - (isOpen() ? this.openedAt : this.closedAt));
	}

	/**
	 * Whether the tier has been there for a while.
	 * @param duration how long
	 * @return whether the circuit has been closed for so long
	 */
	public boolean isClosedFor(Duration duration) {
		return !isOpen() && System.nanoTime() - this.closedAt >= duration.toNanos();
	}

	/**
	 * Whether the tier has been gone for a while.
	 * @param duration how long
	 * @return whether the circuit has been open for so long
	 */
	public boolean isOpenFor(Duration duration) {
		return isOpen() && System.nanoTime() - this.openedAt >= duration.toNanos();
	}

	/**
	 * The breaker itself, for metrics.
	 * @return the Resilience4j breaker
	 */
	public CircuitBreaker breaker() {
		return this.breaker;
	}

	private void opened(Throwable ex) {
		this.openedAt = System.nanoTime();
		this.whenOpened.run();
		this.listener.onBreaker(this.tier, true);
		logger.warn("The {} tier does not answer as it should and is cut off: its circuit breaker has opened and is "
				+ "probed until the tier is back. Look at its server and at the network between. The last failure: {}",
				this.tier, String.valueOf(ex.getMessage()));
	}

}

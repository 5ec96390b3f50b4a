package io.github.resilientsession.sample.control;

import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;

import io.github.resilientsession.ResilientSession;
import io.github.resilientsession.ResilientSessionRepository;
import org.HdrHistogram.Histogram;
import org.HdrHistogram.Recorder;

/**
 * Visitors who are not there, so that something moves: each second a number of visits to
 * some sessions of their own. A visit in five writes. As with real visitors, nobody waits
 * for the visit of another: when it is due does not depend on how long others take.
 */
final class LoadGenerator implements AutoCloseable {

	static final int MAX_VISITS_PER_SECOND = 2_000;

	private static final int VISITORS = 500;

	private static final int THREADS = 16;

	private static final long PAUSE = Duration.ofMillis(100).toNanos();

	private static final long MAX_DELAY = Duration.ofSeconds(1).toNanos();

	private static final long MAX_LATENCY = Duration.ofMinutes(1).toNanos();

	private final ResilientSessionRepository repository;

	private final List<String> ids = new CopyOnWriteArrayList<>();

	private final Recorder latencies = new Recorder(MAX_LATENCY, 3);

	private final AtomicLong failures = new AtomicLong();

	private final AtomicLong absent = new AtomicLong();

	private final AtomicLong dropped = new AtomicLong();

	private volatile Schedule schedule = Schedule.of(0);

	private volatile boolean closed;

	LoadGenerator(ResilientSessionRepository repository) {
		this.repository = repository;
		for (int i = 0; i < THREADS; i++) {
			Thread thread = new Thread(this::visit, "demo-load-" + i);
			thread.setDaemon(true);
			thread.start();
		}
	}

	/**
	 * From now on, so many visits.
	 * @param perSecond 0 for none
	 */
	void set(int perSecond) {
		this.schedule = Schedule.of(Math.min(perSecond, MAX_VISITS_PER_SECOND));
	}

	int visitsPerSecond() {
		return this.schedule.visitsPerSecond();
	}

	/**
	 * What has come of the visits since the last call.
	 */
	Visits take() {
		Histogram histogram = this.latencies.getIntervalHistogram();
		return new Visits(histogram.getTotalCount(), this.failures.getAndSet(0), this.dropped.getAndSet(0),
				this.absent.get(), Math.round(histogram.getValueAtPercentile(99) / 1e4) / 100d);
	}

	private void visit() {
		while (!this.closed) {
			Schedule schedule = this.schedule;
			if (schedule.visitsPerSecond() == 0) {
				LockSupport.parkNanos(PAUSE);
				continue;
			}
			long due = schedule.next();
			for (long left = due - System.nanoTime(); left > 0 && isValid(schedule); left = due - System.nanoTime()) {
				LockSupport.parkNanos(Math.min(left, PAUSE));
			}
			if (!isValid(schedule)) {
				continue;
			}
			if (System.nanoTime() - due > MAX_DELAY) {
				// Else all that were late would come at once when a store is back.
				this.dropped.incrementAndGet();
				continue;
			}
			try {
				visitOnce();
			}
			catch (RuntimeException ex) {
				this.failures.incrementAndGet();
			}
			// From when it was due: also what waited for a thread has waited.
			this.latencies.recordValue(Math.min(System.nanoTime() - due, MAX_LATENCY));
		}
	}

	private boolean isValid(Schedule schedule) {
		// No two are equal, since no two counters are.
		return schedule.equals(this.schedule) && !this.closed;
	}

	private void visitOnce() {
		if (this.ids.size() < VISITORS) {
			ResilientSession session = this.repository.createSession();
			// Also after a long time without visits, a session that is gone is a mistake.
			session.setMaxInactiveInterval(Duration.ofDays(1));
			session.setAttribute("visits", 0);
			this.repository.save(session);
			this.ids.add(session.getId());
			return;
		}
		String id = this.ids.get(ThreadLocalRandom.current().nextInt(this.ids.size()));
		ResilientSession session = this.repository.findById(id);
		if (session == null) {
			this.absent.incrementAndGet();
			this.ids.remove(id);
			return;
		}
		if (ThreadLocalRandom.current().nextInt(5) == 0) {
			Integer visits = session.getAttribute("visits");
			session.setAttribute("visits", (visits != null) ? visits + 1 : 1);
		}
		session.setLastAccessedTime(Instant.now());
		this.repository.save(session);
	}

	@Override
	public void close() {
		this.closed = true;
	}

	/**
	 * When visits are due.
	 *
	 * @param visitsPerSecond how many in a second
	 * @param since when the first one is, as {@link System#nanoTime()}
	 * @param given how many have a thread already
	 */
	private record Schedule(int visitsPerSecond, long since, AtomicLong given) {

		static Schedule of(int visitsPerSecond) {
			return new Schedule(visitsPerSecond, System.nanoTime(), new AtomicLong());
		}

		long next() {
			return this.since + this.given.getAndIncrement() * TimeUnit.SECONDS.toNanos(1) / this.visitsPerSecond;
		}

	}

	/**
	 * What has come of the visits since the last time.
	 *
	 * @param count how many there were
	 * @param failed how many got an error
	 * @param dropped how many were not begun, as they were late by more than a second
	 * @param absent how many have found no session so far: nobody ever should
	 * @param p99Ms the 99th percentile of the time from when they were due to when they
	 * were done, in milliseconds
	 */
	record Visits(long count, long failed, long dropped, long absent, double p99Ms) {

	}

}

package io.github.resilientsession.benchmark;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicLongArray;
import java.util.concurrent.locks.LockSupport;
import java.util.function.LongSupplier;
import java.util.stream.IntStream;

import io.github.resilientsession.testsupport.ConnectionWatch;
import io.github.resilientsession.testsupport.PostgresServer;
import io.github.resilientsession.testsupport.RedisServer;
import org.HdrHistogram.ConcurrentHistogram;
import org.HdrHistogram.Histogram;
import org.awaitility.Awaitility;

import org.springframework.session.Session;

/**
 * Watches one peer second by second while something happens to Redis and its sessions are
 * read. Reads fall due at a constant rate, whether those before have been answered or
 * not, as those of users do; their latency counts from then.
 */
final class Recovery {

	private static final int THREADS = 128;

	/**
	 * Longer than PostgreSQL takes until what an idle connection did, when the sessions
	 * were created, is in its statistics.
	 */
	private static final int SECONDS_BEFORE = 11;

	private static final int SECONDS_SHOWN_BEFORE = 5;

	private static final long MAX_LATENCY = Duration.ofMinutes(5).toNanos();

	private final RedisServer redis;

	private final PostgresServer postgres;

	private final Settings settings;

	Recovery(RedisServer redis, PostgresServer postgres, Settings settings) {
		this.redis = redis;
		this.postgres = postgres;
		this.settings = settings;
	}

	/**
	 * Watch one incident. The peer is closed then.
	 * @param misses tells how many reads Redis has not answered so far
	 */
	<S extends Session> List<Second> watch(Incident incident, Peer<S> peer, LongSupplier misses) throws Exception {
		List<String> ids = Collections.synchronizedList(new ArrayList<>());
		try (Load load = new Load(16, () -> Consumption.NONE)) {
			load.times(this.settings.recoverySessions(), () -> ids.add(peer.create(Payload.SMALL)));
		}
		Stock stock = new Stock(ids);
		Counts counts = new Counts();
		ExecutorService threads = Executors.newFixedThreadPool(THREADS);
		long start = System.nanoTime();
		long end = start + this.settings.recovery().toNanos() + TimeUnit.SECONDS.toNanos(SECONDS_BEFORE);
		AtomicLong tickets = new AtomicLong();
		for (int i = 0; i < THREADS; i++) {
			int thread = i;
			threads.execute(() -> {
				for (long due = due(start, tickets); due < end; due = due(start, tickets)) {
					await(due);
					counts.underWay.set(thread, due);
					read(peer, stock.any(), due, counts);
					counts.underWay.set(thread, 0);
				}
			});
		}
		List<Second> seconds = new ArrayList<>();
		Snapshot before;
		ExecutorService fault = Executors.newSingleThreadExecutor();
		try (ConnectionWatch connections = this.postgres.watchConnections(peer.name())) {
			Future<?> happened = null;
			before = snapshot(counts, peer, misses);
			for (int second = -SECONDS_BEFORE; second < this.settings.recovery().toSeconds(); second++) {
				if (second == 0) {
					happened = fault.submit(() -> {
						incident.happen(this.redis);
						return null;
					});
				}
				await(start + TimeUnit.SECONDS.toNanos(second + SECONDS_BEFORE + 1));
				Snapshot after = snapshot(counts, peer, misses);
				seconds.add(after.since(before, incident, peer.name(), second, counts.takeP99(),
						connections.takePeakActive()));
				before = after;
			}
			happened.get();
		}
		finally {
			threads.shutdown();
			fault.shutdown();
		}
		if (!threads.awaitTermination(2, TimeUnit.MINUTES)) {
			throw new IllegalStateException("Reads of " + peer.name() + " do not come back");
		}
		// The last transactions of a connection are in the statistics when it has ended.
		peer.close();
		Awaitility.await()
			.until(() -> this.postgres
				.queryForLong("select count(*) from pg_stat_activity where datname = '" + peer.database() + "'") == 0);
		Second last = seconds.remove(seconds.size() - 1);
		seconds.add(last.plusQueries(transactions(peer) - before.transactions()));
		return seconds.subList(SECONDS_BEFORE - SECONDS_SHOWN_BEFORE, seconds.size());
	}

	private long due(long start, AtomicLong tickets) {
		return start + tickets.getAndIncrement() * TimeUnit.SECONDS.toNanos(1) / this.settings.readsPerSecond();
	}

	private static void await(long due) {
		for (long left = due - System.nanoTime(); left > 0; left = due - System.nanoTime()) {
			LockSupport.parkNanos(left);
		}
	}

	private static <S extends Session> void read(Peer<S> peer, String id, long due, Counts counts) {
		try {
			S session = peer.repository().findById(id);
			if (session == null) {
				counts.absent.incrementAndGet();
			}
			else if (session.getAttribute("attribute3") == null) {
				throw new IllegalStateException("A session has lost an attribute");
			}
			counts.reads.incrementAndGet();
		}
		catch (RuntimeException ex) {
			counts.errors.incrementAndGet();
		}
		counts.latencies.recordValue(Math.min(System.nanoTime() - due, MAX_LATENCY));
	}

	private Snapshot snapshot(Counts counts, Peer<?> peer, LongSupplier misses) {
		return new Snapshot(counts.reads.get(), counts.errors.get(), counts.absent.get(), transactions(peer),
				misses.getAsLong());
	}

	private long transactions(Peer<?> peer) {
		return this.postgres.queryForLong("select sum(xact_commit + xact_rollback) from pg_stat_database "
				+ "where datname = '" + peer.database() + "'");
	}

	/**
	 * What has happened so far.
	 */
	private static final class Counts {

		final AtomicLong reads = new AtomicLong();

		final AtomicLong errors = new AtomicLong();

		final AtomicLong absent = new AtomicLong();

		final Histogram latencies = new ConcurrentHistogram(MAX_LATENCY, 3);

		/**
		 * When the read fell due that each thread waits for; 0 for none.
		 */
		final AtomicLongArray underWay = new AtomicLongArray(THREADS);

		private Histogram before = this.latencies.copy();

		/**
		 * The 99th percentile since the last call, in milliseconds. If nothing was
		 * answered, how long the read has been waited for that waits longest.
		 */
		double takeP99() {
			Histogram now = this.latencies.copy();
			Histogram since = now.copy();
			since.subtract(this.before);
			this.before = now;
			if (since.getTotalCount() > 0) {
				return since.getValueAtPercentile(99) / 1e6;
			}
			long at = System.nanoTime();
			return IntStream.range(0, THREADS)
				.mapToLong(this.underWay::get)
				.filter((due) -> due != 0)
				.map((due) -> at - due)
				.max()
				.orElse(0) / 1e6;
		}

	}

	/**
	 * The sums at one moment.
	 */
	private record Snapshot(long reads, long errors, long absent, long transactions, long misses) {

		Second since(Snapshot before, Incident incident, String peer, int second, double p99, int connections) {
			long answered = this.reads - before.reads;
			double hits = (answered > 0) ? 1 - (this.misses - before.misses) / (double) answered : 0;
			return new Second(incident.label(), peer, second, answered, this.errors - before.errors,
					this.absent - before.absent, Math.round(p99 * 100) / 100.0, this.transactions - before.transactions,
					connections, Math.round(hits * 1_000) / 1_000.0);
		}

	}

}

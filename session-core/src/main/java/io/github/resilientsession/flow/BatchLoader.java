package io.github.resilientsession.flow;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.function.LongSupplier;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import com.github.benmanes.caffeine.cache.Scheduler;
import io.github.resilience4j.bulkhead.Bulkhead;
import io.github.resilience4j.bulkhead.BulkheadConfig;
import io.github.resilientsession.circuit.TierCircuit;
import io.github.resilientsession.circuit.TierUnavailableException;
import io.github.resilientsession.durable.DurableTier;
import io.github.resilientsession.record.Lookup;
import io.github.resilientsession.record.SessionRecord;
import io.github.resilientsession.record.SessionStoreListener;

/**
 * Loads missed sessions from the durable store: reads of one session share a load
 * (single-flight), loads of distinct sessions share a query (batching), and queries share
 * a bulkhead. Whatever does not fit into the bounded queue, or waits there for too long,
 * is shed as unavailable. Safe for use by many threads.
 * <p>
 * Batches form by themselves: while a query runs, and for some milliseconds after its
 * start, the next misses gather behind it. A second query starts beside the first only
 * when half a batch is waiting, so that a stampede gives few large queries and not many
 * small ones.
 */
public final class BatchLoader implements AutoCloseable {

	/**
	 * How long a load can be shared; finished, it is for reads that began before that.
	 */
	private static final Duration SHARED_FOR = Duration.ofSeconds(2);

	/**
	 * The shortest time from the start of a query to that of the next, unless enough
	 * misses for a query are waiting: 100 small queries a second are little for a
	 * database, and 10 ms are little for a user whose session is not in Redis.
	 */
	private static final long INTERVAL = Duration.ofMillis(10).toNanos();

	/**
	 * How often to look whether there are enough.
	 */
	private static final long LOOK = Duration.ofMillis(1).toNanos();

	/**
	 * Stands for an epoch that never is.
	 */
	static final long NO_MISS = -1;

	private final DurableTier durable;

	private final TierCircuit circuit;

	private final LoadSettings settings;

	private final SessionStoreListener listener;

	private final Cache<String, Load> loads;

	private final BlockingQueue<Load> queue;

	private final Bulkhead bulkhead;

	private final ExecutorService executor;

	private final LongSupplier trustEpoch;

	private final BooleanSupplier mayGather;

	private volatile long lastQuery = System.nanoTime();

	private volatile Found onFound = (session, epoch) -> {
	};

	/**
	 * Create a loader.
	 * @param trustEpoch how often the copies in Redis have been suspected
	 * @param mayGather whether a miss may wait a few milliseconds for others
	 */
	public BatchLoader(DurableTier durable, TierCircuit circuit, LongSupplier trustEpoch, BooleanSupplier mayGather,
			LoadSettings settings, SessionStoreListener listener) {
		this.durable = durable;
		this.circuit = circuit;
		this.trustEpoch = trustEpoch;
		this.mayGather = mayGather;
		this.settings = settings;
		this.listener = listener;
		this.loads = Caffeine.newBuilder()
			.maximumSize(settings.queueCapacity())
			.expireAfterWrite(SHARED_FOR)
			.scheduler(Scheduler.systemScheduler())
			.build();
		this.queue = new ArrayBlockingQueue<>(settings.queueCapacity());
		this.bulkhead = Bulkhead.of("resilient-session-loads",
				BulkheadConfig.custom()
					.maxConcurrentCalls(settings.maxConcurrentLoads())
					.maxWaitDuration(Duration.ZERO)
					.build());
		AtomicInteger threads = new AtomicInteger();
		this.executor = Executors.newFixedThreadPool(settings.maxConcurrentLoads(), (task) -> {
			Thread thread = new Thread(task, "resilient-session-load-" + threads.incrementAndGet());
			thread.setDaemon(true);
			return thread;
		});
	}

	/**
	 * Be told of every session found, before any read gets it.
	 */
	void onFound(Found onFound) {
		this.onFound = onFound;
	}

	/**
	 * Load a session, or share a load that is under way.
	 * @param id the session's id
	 * @param readBegan when the read began, before it asked Redis
	 * @param missEpoch the epoch of trust in Redis in which it answered that read with a
	 * miss; {@link #NO_MISS} if it did not
	 * @return what the durable store says; unavailable if it does not in time
	 */
	Lookup load(String id, long readBegan, long missEpoch) {
		Load candidate = new Load(id);
		Load load = this.loads.asMap()
			.compute(id, (key, current) -> (current != null && current.mayServe(readBegan, missEpoch)) ? current
					: candidate);
		if (load != candidate) {
			this.listener.onCoalesced();
		}
		else if (this.queue.offer(candidate)) {
			startQueryIfUseful();
		}
		else {
			shed(candidate, "too many sessions wait to be loaded");
		}
		return load.await(this.settings.timeLimit());
	}

	/**
	 * Let no later read share a load that began before now; to be called after a durable
	 * write, before it is acknowledged.
	 * @param id the session's id
	 */
	void forget(String id) {
		this.loads.invalidate(id);
	}

	/**
	 * How many sessions wait to be loaded.
	 * @return the number, for metrics
	 */
	public int waiting() {
		return this.queue.size();
	}

	/**
	 * What bounds the queries for missed sessions.
	 * @return the Resilience4j bulkhead, for metrics
	 */
	public Bulkhead bulkhead() {
		return this.bulkhead;
	}

	private boolean isIdle() {
		Bulkhead.Metrics metrics = this.bulkhead.getMetrics();
		return metrics.getAvailableConcurrentCalls() == metrics.getMaxAllowedConcurrentCalls();
	}

	private void startQueryIfUseful() {
		// An interrupted caller would not be given a permit, and its load never start.
		boolean interrupted = Thread.interrupted();
		try {
			tryStartQuery();
		}
		finally {
			if (interrupted) {
				Thread.currentThread().interrupt();
			}
		}
	}

	private void tryStartQuery() {
		boolean idle = isIdle();
		if ((idle || isCrowded()) && this.bulkhead.tryAcquirePermission()) {
			execute();
		}
	}

	/**
	 * Whether there are enough for a query of their own.
	 */
	private boolean isCrowded() {
		return this.queue.size() >= (this.settings.maxBatchSize() + 1) / 2;
	}

	private void execute() {
		try {
			this.executor.execute(this::drain);
		}
		catch (RejectedExecutionException ex) {
			this.bulkhead.onComplete();
			shedAll();
		}
	}

	private void drain() {
		try {
			List<Load> batch = new ArrayList<>(this.settings.maxBatchSize());
			gather();
			while (this.queue.drainTo(batch, this.settings.maxBatchSize()) > 0) {
				query(batch);
				batch.clear();
				gather();
			}
		}
		finally {
			this.bulkhead.onComplete();
			// A load that was queued after the last look and before the permit was free.
			if (!this.queue.isEmpty() && !this.executor.isShutdown()) {
				startQueryIfUseful();
			}
		}
	}

	/**
	 * Wait for more misses where the query before was just now, until there are enough
	 * for a query: those that wait anyway then share one.
	 */
	private void gather() {
		for (long left = left(); left > 0 && !this.queue.isEmpty() && !isCrowded()
				&& this.mayGather.getAsBoolean(); left = left()) {
			LockSupport.parkNanos(Math.min(left, LOOK));
		}
		if (!this.queue.isEmpty()) {
			this.lastQuery = System.nanoTime();
		}
	}

	private long left() {
		return this.lastQuery + INTERVAL - System.nanoTime();
	}

	private void query(List<Load> batch) {
		batch.removeIf((load) -> {
			boolean late = load.isOlderThan(this.settings.timeLimit());
			if (late) {
				shed(load, "it waited too long to be loaded");
			}
			return late;
		});
		if (batch.isEmpty()) {
			return;
		}
		long epoch = this.trustEpoch.getAsLong();
		batch.forEach((load) -> load.queried(epoch));
		long start = System.nanoTime();
		try {
			Map<String, Lookup> found = this.circuit
				.call(() -> this.durable.load(batch.stream().map(Load::id).toList()));
			this.listener.onBatchLoaded(batch.size(), Duration.ofNanos(System.nanoTime() - start));
			for (Load load : batch) {
				complete(load, found.getOrDefault(load.id(), new Lookup.Miss()));
			}
		}
		catch (TierUnavailableException ex) {
			batch.forEach((load) -> load.complete(new Lookup.Unavailable(ex)));
		}
		catch (RuntimeException | Error ex) {
			batch.forEach((load) -> load.complete(new Lookup.Unavailable(ex)));
			throw ex;
		}
	}

	private void complete(Load load, Lookup lookup) {
		try {
			if (lookup instanceof Lookup.Hit hit) {
				this.onFound.found(hit.session(), load.trustEpoch());
			}
		}
		finally {
			load.complete(lookup);
		}
	}

	private void shed(Load load, String reason) {
		this.listener.onShed();
		load.complete(new Lookup.Unavailable(new TierUnavailableException("Shed: " + reason, null)));
	}

	@Override
	public void close() {
		this.executor.shutdownNow();
		shedAll();
	}

	private void shedAll() {
		List<Load> waiting = new ArrayList<>();
		this.queue.drainTo(waiting);
		waiting.forEach((load) -> shed(load, "the application is shutting down"));
	}

	/**
	 * Is told of a session that was found.
	 */
	@FunctionalInterface
	interface Found {

		/**
		 * A session was found.
		 * @param session its state
		 * @param epoch the epoch of trust in Redis in which the query was issued
		 */
		void found(SessionRecord session, long epoch);

	}

}

package io.github.resilientsession.drill;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

import io.github.resilientsession.testsupport.ConnectionWatch;
import io.github.resilientsession.testsupport.PostgresServer;
import io.github.resilientsession.testsupport.RedisServer;
import io.lettuce.core.RedisException;
import io.lettuce.core.ScriptOutputType;
import org.jspecify.annotations.Nullable;

/**
 * Watches one side, second by second from the incident on.
 */
final class Watch implements AutoCloseable {

	private static final double WARM = 0.01;

	/**
	 * For so many seconds, to be taken for warm.
	 */
	private static final int WARM_SECONDS = 3;

	/**
	 * How often to look for session keys without a TTL: all keys are looked at.
	 */
	private static final int SWEEP_SECONDS = 5;

	/**
	 * Counts those of some keys that have no TTL.
	 */
	private static final String SWEEP = "local page = redis.call('SCAN', ARGV[1], 'MATCH', ARGV[2], 'COUNT', 1000) "
			+ "local n = 0 for _, key in ipairs(page[2]) do if redis.call('PTTL', key) == -1 then n = n + 1 end end "
			+ "return {page[1], n, #page[2]}";

	static final String UNBOUNDED = "the database was asked as often as visitors came";

	private final RedisServer redis;

	private final PostgresServer postgres;

	private final Side side;

	private final Crowd crowd;

	private final ConnectionWatch connections;

	private long queriesBefore;

	private long visitsBefore;

	private final CountDownLatch ended = new CountDownLatch(1);

	private final List<Double> missing = new ArrayList<>();

	private final Thread thread;

	/**
	 * Looks for keys without a TTL, which may take longer than a second.
	 */
	private final ScheduledExecutorService sweeper = Executors.newSingleThreadScheduledExecutor();

	private volatile long keysWithoutTtl;

	private Watch(RedisServer redis, PostgresServer postgres, Side side, Crowd crowd) {
		this.redis = redis;
		this.postgres = postgres;
		this.side = side;
		this.crowd = crowd;
		this.connections = postgres.watchConnections(side.connections());
		this.queriesBefore = queries();
		this.visitsBefore = crowd.visits();
		this.thread = new Thread(this::watch, "drill-watch");
	}

	/**
	 * Begin: now the incident happens.
	 */
	static Watch begin(RedisServer redis, PostgresServer postgres, Side side, Crowd crowd) {
		crowd.forgetLatencies();
		Watch watch = new Watch(redis, postgres, side, crowd);
		watch.sweep();
		watch.thread.start();
		watch.sweeper.scheduleWithFixedDelay(watch::sweepUnlessDown, SWEEP_SECONDS, SWEEP_SECONDS, TimeUnit.SECONDS);
		return watch;
	}

	private void watch() {
		long start = System.nanoTime();
		Sums before = sums();
		try {
			for (int second = 1;; second++) {
				long due = start + TimeUnit.SECONDS.toNanos(second);
				if (this.ended.await(due - System.nanoTime(), TimeUnit.NANOSECONDS)) {
					return;
				}
				Sums now = sums();
				synchronized (this.missing) {
					this.missing.add(now.missingSince(before));
				}
				before = now;
			}
		}
		catch (InterruptedException ex) {
			Thread.currentThread().interrupt();
		}
	}

	private Sums sums() {
		return new Sums(this.crowd.visits(),
				this.side.misses().getAsLong() + this.crowd.falseLogouts() + this.crowd.errors());
	}

	private void sweep() {
		this.keysWithoutTtl = Math.max(this.keysWithoutTtl, sessionKeys(this.redis, this.side).withoutTtl());
	}

	private void sweepUnlessDown() {
		try {
			sweep();
		}
		catch (RedisException | IllegalStateException ex) {
			// It is down just now.
		}
	}

	/**
	 * How many keys of sessions there are.
	 */
	static Keys sessionKeys(RedisServer redis, Side side) {
		String pattern = side.keys() + "*";
		return redis.call((commands) -> {
			String cursor = "0";
			long withoutTtl = 0;
			long all = 0;
			do {
				List<Object> page = commands.eval(SWEEP, ScriptOutputType.MULTI, new String[0], cursor, pattern);
				cursor = String.valueOf(page.get(0));
				withoutTtl += (Long) page.get(1);
				all += (Long) page.get(2);
			}
			while (!cursor.equals("0"));
			return new Keys(all, withoutTtl);
		});
	}

	private long queries() {
		if (this.side.database().isEmpty()) {
			return 0;
		}
		return this.postgres.queryForLong("select sum(xact_commit + xact_rollback) from pg_stat_database "
				+ "where datname = '" + this.side.database() + "'");
	}

	/**
	 * What comes now is not the incident's any more.
	 */
	void stopCounting() throws InterruptedException {
		this.ended.countDown();
		this.thread.join();
	}

	/**
	 * End, when all that is to be watched is over.
	 * @param drill its name
	 * @param details what it shows besides
	 * @param demands what this drill asks for besides
	 */
	Result end(String drill, Map<String, Object> details, Demand... demands) throws Exception {
		stopCounting();
		double p99 = this.crowd.p99Millis();
		// Before everybody looks at once, which no visitor does.
		int peak = this.connections.peakActive();
		long queries = queries() - this.queriesBefore;
		this.crowd.stopShopping();
		int unanswered = this.crowd.lookAtAll();
		this.sweeper.shutdown();
		this.sweeper.awaitTermination(1, TimeUnit.MINUTES);
		sweep();
		List<String> failures = Stream.concat(always(unanswered), Stream.of(demands))
			.filter((demand) -> !demand.holds().getAsBoolean())
			.map(Demand::failure)
			.toList();
		if (unanswered > 0) {
			details.put("never_answered_in_the_end", unanswered);
		}
		return new Result(drill, this.side.name(), this.crowd.size(), this.crowd.falseLogouts(),
				this.crowd.lostWrites(), this.crowd.resurrected(), this.crowd.errors(), this.keysWithoutTtl, peak,
				queries, Math.round(p99 * 10) / 10d, secondsToWarm(), failures.isEmpty(), failures, details);
	}

	private Stream<Demand> always(int unanswered) {
		return Stream.of(Demand.not(this.crowd.falseLogouts() > 0, "visitors were logged out"),
				Demand.not(this.crowd.lostWrites() > 0, "carts lost something"),
				Demand.not(this.crowd.resurrected() > 0, "visitors were logged in again"),
				Demand.not(this.keysWithoutTtl > 0, "keys had no TTL"),
				Demand.not(unanswered > 0, "visitors got no answer in the end"));
	}

	/**
	 * It has to be warm when the drill is over.
	 */
	Demand warm() {
		return new Demand("Redis was not warm in the end", this::hasWarmedUp);
	}

	/**
	 * Something happens again.
	 * @return how many seconds it had taken to be warm; {@code null} if it was not yet
	 */
	@Nullable Integer happensAgain() {
		synchronized (this.missing) {
			Integer seconds = secondsToWarm();
			this.missing.clear();
			return seconds;
		}
	}

	/**
	 * Something else happens, of which the result shall tell: forget what was before, but
	 * for what visitors have lost.
	 * @param phase what to call it in the details
	 * @param details where to tell of it
	 * @return whether it came through this part, as {@link #isBounded()} and warm again
	 */
	boolean next(String phase, Map<String, Object> details) {
		boolean bounded = isBounded();
		Integer seconds = happensAgain();
		details.put("p99_ms_" + phase, Math.round(this.crowd.p99Millis() * 10) / 10d);
		details.put("seconds_to_warm_" + phase, (seconds != null) ? seconds : "not yet");
		details.put("db_connections_peak_" + phase, this.connections.takePeakActive());
		details.put("db_queries_" + phase, queries() - this.queriesBefore);
		this.queriesBefore = queries();
		this.visitsBefore = this.crowd.visits();
		this.crowd.forgetLatencies();
		return bounded && seconds != null;
	}

	/**
	 * Whether the database has been asked less often than visitors came: one that is
	 * asked for each miss and each visit is not.
	 */
	boolean isBounded() {
		return queries() - this.queriesBefore < this.crowd.visits() - this.visitsBefore;
	}

	/**
	 * Whether Redis answers again.
	 */
	boolean hasWarmedUp() {
		return secondsToWarm() != null;
	}

	/**
	 * Let visitors go on until Redis answers them again.
	 * @param atLeast how long in any case
	 * @param atMost how long if it does not
	 */
	void awaitWarm(Duration atLeast, Duration atMost) throws InterruptedException {
		TimeUnit.MILLISECONDS.sleep(atLeast.toMillis());
		for (long left = atMost.minus(atLeast).toSeconds(); left > 0 && !isWarm(); left--) {
			TimeUnit.SECONDS.sleep(1);
		}
	}

	private boolean isWarm() {
		synchronized (this.missing) {
			int seconds = this.missing.size();
			return seconds >= WARM_SECONDS
					&& this.missing.subList(seconds - WARM_SECONDS, seconds).stream().allMatch((part) -> part <= WARM);
		}
	}

	private @Nullable Integer secondsToWarm() {
		synchronized (this.missing) {
			for (int second = this.missing.size(); second > 0; second--) {
				if (this.missing.get(second - 1) > WARM) {
					return (second < this.missing.size()) ? second : null;
				}
			}
			return 0;
		}
	}

	@Override
	public void close() throws InterruptedException {
		this.ended.countDown();
		this.sweeper.shutdownNow();
		this.connections.close();
	}

	/**
	 * Keys of sessions.
	 *
	 * @param all how many; one may be counted twice
	 * @param withoutTtl how many of them have no TTL
	 */
	record Keys(long all, long withoutTtl) {

	}

	/**
	 * The sums at one moment.
	 *
	 * @param visits all visits
	 * @param missing visits that found no session in Redis, or failed
	 */
	private record Sums(long visits, long missing) {

		double missingSince(Sums before) {
			long since = this.visits - before.visits;
			return (since > 0) ? (this.missing - before.missing) / (double) since : 1;
		}

	}

}

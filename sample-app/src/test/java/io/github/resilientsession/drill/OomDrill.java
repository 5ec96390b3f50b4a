package io.github.resilientsession.drill;

import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.NavigableMap;
import java.util.TreeMap;

import io.github.resilientsession.testsupport.PostgresServer;
import io.github.resilientsession.testsupport.RedisServer;
import org.awaitility.Awaitility;

/**
 * A shop whose Redis is a pod with too little memory: it fills, is killed, comes back
 * empty, and is filled again by those who were logged out.
 */
final class OomDrill implements Drill {

	private static final int SESSIONS = 48_000;

	private static final int CLIENTS = 312;

	private static final String FULL_AFTER = "seconds_until_redis_was_full";

	private static final String FORECAST = "seconds_until_full_as_forecast_halfway";

	private static final int KILLS = 5;

	private static final long MEMORY = 58L << 20;

	/**
	 * More than ever fit; else this would go on forever.
	 */
	private static final double MOST = 2;

	/**
	 * The part of the visitors that comes in each of these moments: so few that the
	 * doctor can see it coming.
	 */
	private static final int PART = 700;

	private static final Duration PACE = Duration.ofMillis(100);

	/**
	 * Before others come, the doctor has forgotten how fast those of the beginning came:
	 * it draws its line through the last hundred looks.
	 */
	private static final Duration QUIET = Contender.DOCTOR_INTERVAL.multipliedBy(104);

	private static final Duration FULL = Duration.ofSeconds(3);

	private static final double HEADROOM = 0.2;

	/**
	 * What a refill may go beyond its headroom: a page of sessions, and what was logged
	 * in meanwhile.
	 */
	private static final double SLACK = 0.05;

	private static final double REFILLED_AT_LEAST = 0.5;

	private static final Duration AT_MOST = Duration.ofMinutes(1);

	@Override
	public String name() {
		return "oom";
	}

	@Override
	public String title() {
		return "a Redis that is killed for its memory, again and again";
	}

	@Override
	public Result play(Contender contender, Stage stage) throws Exception {
		try (RedisServer redis = RedisServer.start();
				PostgresServer postgres = PostgresServer.start();
				Side side = contender.enter(redis, postgres);
				Crowd crowd = new Crowd(side.shop())) {
			long empty = redis.usedMemory();
			long memory = empty + stage.scaledBytes(MEMORY - empty);
			redis.configSet("maxmemory", Long.toString(memory));
			stage.say("%s: %d visitors log in", side.name(), stage.scaled(SESSIONS));
			crowd.begin(stage.scaled(SESSIONS));
			stage.say("%s: Redis uses %.0f %% of %.1f MB", side.name(), 100d * redis.usedMemory() / memory,
					memory / 1_048_576d);
			crowd.goShopping(Math.max(50, stage.scaled(CLIENTS)));
			if (side.isOurs()) {
				stage.pass(QUIET);
			}
			try (Watch watch = Watch.begin(redis, postgres, side, crowd)) {
				Map<String, Object> details = new LinkedHashMap<>();
				int emptied = 0;
				boolean loopEnded = true;
				double mostRefilled = 0;
				long mostRefused = 0;
				for (int kill = 1; kill <= KILLS; kill++) {
					fill(redis, memory, side, crowd, stage, details);
					stage.say("%s: full, Redis refuses writes; visitors go on for %d s", side.name(), FULL.toSeconds());
					long refused = refused(side, crowd);
					for (long rest = FULL.dividedBy(PACE); rest > 0; rest--) {
						crowd.come(part(stage));
						stage.pass(PACE);
					}
					mostRefused = Math.max(mostRefused, refused(side, crowd) - refused);
					watch.happensAgain();
					redis.kill();
					redis.restartEmpty();
					redis.configSet("maxmemory", Long.toString(memory));
					emptied += (Watch.sessionKeys(redis, side).all() < crowd.size() / 2) ? 1 : 0;
					if (side.isOurs()) {
						awaitRefill(side);
						double used = (redis.usedMemory() - empty) / (double) (memory - empty);
						mostRefilled = Math.max(mostRefilled, used);
						loopEnded &= used < 1 - HEADROOM + SLACK && used > REFILLED_AT_LEAST;
						stage.say("%s: killed for the %d. time, and refilled to %.0f %%", side.name(), kill,
								100 * used);
					}
					else {
						stage.say("%s: killed for the %d. time; it has %d sessions", side.name(), kill,
								Watch.sessionKeys(redis, side).all());
					}
				}
				watch.awaitWarm(Duration.ofSeconds(5), stage.scaled(AT_MOST));
				details.put("writes_refused_while_full", mostRefused);
				details.put("times_that_redis_came_back_empty", emptied);
				if (side.isOurs()) {
					details.put("refilled_to_percent_of_memory", Math.round(100 * mostRefilled));
				}
				return watch.end(name(), details,
						Demand.not(emptied < KILLS, "Redis had the sessions although it was killed"),
						Demand.not(mostRefused == 0, "Redis refused no write"),
						Demand.not(side.isOurs() && !details.containsKey(FORECAST), "the doctor did not see it coming"),
						Demand.not(!loopEnded, "it did not refill Redis as far as its headroom"));
			}
		}
	}

	/**
	 * Let those who are there come back, and then others come, until Redis refuses
	 * writes.
	 */
	private static void fill(RedisServer redis, long memory, Side side, Crowd crowd, Stage stage,
			Map<String, Object> details) throws Exception {
		crowd.comeBack();
		long began = System.nanoTime();
		// What comes after the first time is of another kind: most are back already.
		boolean first = !details.containsKey(FULL_AFTER);
		NavigableMap<Duration, Duration> forecasts = new TreeMap<>();
		Duration passed = Duration.ZERO;
		while (redis.usedMemory() <= memory) {
			if (crowd.size() > MOST * stage.scaled(SESSIONS)) {
				throw new IllegalStateException("Redis has room for " + crowd.size() + " visitors, and is not full");
			}
			crowd.come(part(stage));
			stage.pass(PACE);
			passed = Duration.ofNanos(System.nanoTime() - began);
			if (first && side.isOurs()) {
				Duration at = passed;
				side.doctor().untilFull().filter((left) -> !left.isZero()).ifPresent((left) -> forecasts.put(at, left));
			}
		}
		details.putIfAbsent(FULL_AFTER, passed.toSeconds());
		Map.Entry<Duration, Duration> forecast = forecasts.ceilingEntry(passed.dividedBy(2));
		if (forecast != null) {
			details.put(FORECAST, forecast.getValue().toSeconds());
			details.put("seconds_that_were_left_then", passed.minus(forecast.getKey()).toSeconds());
			stage.say("%s: %d s before, the doctor has said that Redis would be full in %d s", side.name(),
					passed.minus(forecast.getKey()).toSeconds(), forecast.getValue().toSeconds());
		}
	}

	private static int part(Stage stage) {
		return Math.max(1, stage.scaled(SESSIONS) / PART);
	}

	/**
	 * How many writes Redis has refused: those that the database has kept for it, or that
	 * visitors got an error for.
	 */
	private static long refused(Side side, Crowd crowd) {
		return side.isOurs() ? side.ours().events.of("redisPending") : crowd.errors();
	}

	/**
	 * Until nothing is put back any more.
	 */
	private static void awaitRefill(Side side) {
		Awaitility.await()
			.atMost(Duration.ofMinutes(3))
			.until(() -> side.ours().trustsRedis() && side.ours().redisIsRefilled());
	}

}

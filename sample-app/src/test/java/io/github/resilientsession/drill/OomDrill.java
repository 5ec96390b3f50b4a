package io.github.resilientsession.drill;

import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

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

	private static final int KILLS = 5;

	/**
	 * Of its memory, how much the sessions of the beginning take.
	 */
	private static final double USED = 0.85;

	private static final Duration FULL = Duration.ofSeconds(3);

	private static final Duration PACE = Duration.ofMillis(100);

	/**
	 * The part of the visitors that comes in each of these moments: at first so few that
	 * the doctor can see it coming, then more, as those who were logged out are back
	 * soon.
	 */
	private static final int FIRST = 500;

	private static final int AGAIN = 50;

	private static final double HEADROOM = 0.2;

	/**
	 * What a refill may go beyond its headroom: a page of sessions, and what was logged
	 * in meanwhile.
	 */
	private static final double SLACK = 0.05;

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
	public List<Contender> contenders() {
		return List.of(Contender.PLAIN, Contender.RESILIENT);
	}

	@Override
	public Result play(Contender contender, Stage stage) throws Exception {
		try (RedisServer redis = RedisServer.start();
				PostgresServer postgres = PostgresServer.start();
				Side side = contender.enter(redis, postgres);
				Crowd crowd = new Crowd(side.shop())) {
			long empty = redis.usedMemory();
			stage.say("%s: %d visitors log in", side.name(), stage.scaled(SESSIONS));
			crowd.logIn(stage.scaled(SESSIONS));
			long memory = empty + Math.round((redis.usedMemory() - empty) / USED);
			redis.configSet("maxmemory", Long.toString(memory));
			stage.say("%s: Redis uses %d MB of %d MB", side.name(), redis.usedMemory() >> 20, memory >> 20);
			crowd.goShopping(Math.max(50, stage.scaled(CLIENTS)));
			try (Watch watch = Watch.begin(redis, postgres, side, crowd)) {
				Map<String, Object> details = new LinkedHashMap<>();
				int emptied = 0;
				boolean forecast = false;
				boolean loopEnded = true;
				double mostRefilled = 0;
				for (int kill = 1; kill <= KILLS; kill++) {
					while (redis.usedMemory() < 0.98 * memory) {
						crowd.logIn(Math.max(5, stage.scaled(SESSIONS) / ((kill == 1) ? FIRST : AGAIN)));
						stage.pass(PACE);
						forecast |= side.isOurs() && side.doctor().untilFull().isPresent();
					}
					stage.say("%s: full; visitors go on for %d s", side.name(), FULL.toSeconds());
					stage.pass(FULL);
					watch.happensAgain();
					redis.kill();
					redis.restartEmpty();
					redis.configSet("maxmemory", Long.toString(memory));
					emptied += (Watch.sessionKeys(redis, side).all() < crowd.size() / 2) ? 1 : 0;
					if (side.isOurs()) {
						awaitRefill(side);
						double used = (redis.usedMemory() - empty) / (double) (memory - empty);
						mostRefilled = Math.max(mostRefilled, used);
						loopEnded &= used < 1 - HEADROOM + SLACK;
						stage.say("%s: killed for the %d. time, and refilled to %.0f %%", side.name(), kill,
								100 * used);
					}
					else {
						stage.say("%s: killed for the %d. time; it has %d sessions", side.name(), kill,
								Watch.sessionKeys(redis, side).all());
					}
				}
				watch.awaitWarm(Duration.ofSeconds(5), stage.scaled(AT_MOST));
				details.put("times_that_redis_came_back_empty", emptied);
				if (side.isOurs()) {
					details.put("refilled_to_percent_of_memory", Math.round(100 * mostRefilled));
					details.put("forecast_of_the_time_to_full", forecast ? "yes" : "no");
				}
				return watch.end(name(), loopEnded && (forecast || !side.isOurs()), details);
			}
		}
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

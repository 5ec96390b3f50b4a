package io.github.resilientsession.drill;

import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;

import io.github.resilientsession.testsupport.PostgresServer;
import io.github.resilientsession.testsupport.RedisServer;
import org.awaitility.Awaitility;

/**
 * Half a million sessions, of which Redis evicts 97 % at once.
 */
final class NightDrill implements Drill {

	private static final int SESSIONS = 500_000;

	private static final int VISITS_PER_SECOND = 1_000;

	private static final int LEAST_VISITS_PER_SECOND = 400;

	private static final double LEFT = 0.03;

	/**
	 * Those who are awake.
	 */
	private static final double ACTIVE = 0.05;

	private static final Duration AT_LEAST = Duration.ofSeconds(10);

	private static final Duration AT_MOST = Duration.ofMinutes(5);

	@Override
	public String name() {
		return "night";
	}

	@Override
	public String title() {
		return "half a million sessions evicted at 2 AM";
	}

	@Override
	public Result play(Contender contender, Stage stage) throws Exception {
		try (RedisServer redis = RedisServer.start(Map.of("maxmemory", "20gb", "maxmemory-policy", "allkeys-lru"));
				PostgresServer postgres = PostgresServer.start();
				Side side = contender.enter(redis, postgres);
				Crowd crowd = new Crowd(side.shop())) {
			long empty = redis.usedMemory();
			stage.say("%s: %d visitors log in, and fill their carts", side.name(), stage.scaled(SESSIONS));
			crowd.begin(stage.scaled(SESSIONS));
			crowd.change(0.2, 0);
			crowd.onlyActive((int) (ACTIVE * crowd.size()));
			crowd.goShopping(Math.max(LEAST_VISITS_PER_SECOND, stage.scaled(VISITS_PER_SECOND)));
			stage.pass(Duration.ofSeconds(3));
			try (Watch watch = Watch.begin(redis, postgres, side, crowd)) {
				long left = empty + Math.round(LEFT * (redis.usedMemory() - empty));
				redis.configSet("maxmemory", Long.toString(left));
				Awaitility.await().atMost(Duration.ofMinutes(1)).until(() -> evicted(redis) >= 0.95 * crowd.size());
				redis.configSet("maxmemory", "20gb");
				Map<String, Object> details = new LinkedHashMap<>();
				details.put("evicted_keys", evicted(redis));
				stage.say("%s: Redis has evicted %d of %d sessions", side.name(), evicted(redis), crowd.size());
				watch.awaitWarm(AT_LEAST, stage.scaled(AT_MOST));
				boolean bounded = watch.isBounded();
				return watch.end(name(), details, Demand.not(!bounded, Watch.UNBOUNDED), watch.warm());
			}
		}
	}

	private static long evicted(RedisServer redis) {
		return new CourseCache(redis, 1).evicted();
	}

}

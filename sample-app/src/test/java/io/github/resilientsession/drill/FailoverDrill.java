package io.github.resilientsession.drill;

import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

import io.github.resilientsession.testsupport.PostgresServer;
import io.github.resilientsession.testsupport.RedisServer;

/**
 * A replica that is minutes behind is promoted, and then Redis comes back empty, while
 * the visitors go on.
 */
final class FailoverDrill implements Drill {

	private static final int SESSIONS = 180_000;

	private static final int VISITS_PER_SECOND = 1_000;

	private static final int LEAST_VISITS_PER_SECOND = 200;

	/**
	 * What happens after the state that comes back: so many have changed their carts, and
	 * so many have logged out.
	 */
	private static final double BUYERS = 0.1;

	private static final double LEAVERS = 0.02;

	private static final Duration AT_LEAST = Duration.ofSeconds(5);

	private static final Duration AT_MOST = Duration.ofMinutes(2);

	@Override
	public String name() {
		return "failover";
	}

	@Override
	public String title() {
		return "a replica that is minutes behind, and a stampede";
	}

	@Override
	public List<Contender> contenders() {
		return List.of(Contender.PLAIN, Contender.CACHE_ASIDE, Contender.RESILIENT);
	}

	@Override
	public Result play(Contender contender, Stage stage) throws Exception {
		try (RedisServer redis = RedisServer.start();
				PostgresServer postgres = PostgresServer.start();
				Side side = contender.enter(redis, postgres);
				Crowd crowd = new Crowd(side.shop())) {
			stage.say("%s: %d visitors log in", side.name(), stage.scaled(SESSIONS));
			crowd.begin(stage.scaled(SESSIONS));
			Path old = redis.snapshot();
			stage.say("%s: after what the replica has, %.0f %% change their carts and %.0f %% log out", side.name(),
					100 * BUYERS, 100 * LEAVERS);
			crowd.change(BUYERS, LEAVERS);
			crowd.goShopping(Math.max(LEAST_VISITS_PER_SECOND, stage.scaled(VISITS_PER_SECOND)));
			stage.pass(Duration.ofSeconds(3));
			try (Watch watch = Watch.begin(redis, postgres, side, crowd)) {
				redis.restartFrom(old);
				stage.say("%s: Redis has the state from before", side.name());
				watch.awaitWarm(AT_LEAST, stage.scaled(AT_MOST));
				Map<String, Object> details = new LinkedHashMap<>();
				boolean cameThrough = watch.next("after_the_old_state", details);
				// Before what is old is gone.
				stage.say("%s: everybody looks", side.name());
				int unanswered = crowd.lookAtAll();
				watch.next("while_everybody_looked", new LinkedHashMap<>());
				redis.kill();
				redis.restartEmpty();
				stage.say("%s: Redis is empty", side.name());
				watch.awaitWarm(AT_LEAST, stage.scaled(AT_MOST));
				boolean bounded = watch.isBounded();
				return watch.end(name(), details,
						Demand.not(!cameThrough,
								"after the old state: Redis was not warm in the end, or " + Watch.UNBOUNDED),
						Demand.not(unanswered > 0, "after the old state: visitors got no answer"),
						Demand.not(!bounded, Watch.UNBOUNDED), watch.warm());
			}
		}
	}

}

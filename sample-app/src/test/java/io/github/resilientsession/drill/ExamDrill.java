package io.github.resilientsession.drill;

import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

import io.github.resilientsession.doctor.Check;
import io.github.resilientsession.doctor.Report;
import io.github.resilientsession.testsupport.PostgresServer;
import io.github.resilientsession.testsupport.RedisServer;
import org.awaitility.Awaitility;

/**
 * A learning platform during exams: sessions and a cache of courses share a Redis with
 * {@code allkeys-lru}, and updates of the cache evict sessions.
 */
final class ExamDrill implements Drill {

	private static final int STUDENTS = 4_200;

	private static final int IN_EXAMS = 800;

	private static final int EVICTED = 14_839;

	/**
	 * Redis takes an entry for idle by the second, so that it may spare the sessions for
	 * longer where everything is young.
	 */
	private static final double LEAST_MISSING = 0.05;

	private static final long MEMORY = 4L << 30;

	private static final int COURSE_BYTES = 32_000;

	/**
	 * Each student saves an answer, or looks at the next question, each ten seconds.
	 */
	private static final int SECONDS_BETWEEN_VISITS = 10;

	private static final Duration AT_MOST = Duration.ofMinutes(1);

	@Override
	public String name() {
		return "exam";
	}

	@Override
	public String title() {
		return "eviction in a Redis that sessions share with a cache";
	}

	@Override
	public Result play(Contender contender, Stage stage) throws Exception {
		long memory = stage.scaledBytes(MEMORY);
		try (RedisServer redis = RedisServer
			.start(Map.of("maxmemory", Long.toString(memory), "maxmemory-policy", "allkeys-lru"));
				PostgresServer postgres = PostgresServer.start();
				Side side = contender.enter(redis, postgres);
				Crowd crowd = new Crowd(side.shop())) {
			stage.say("%s: %d students log in", side.name(), stage.scaled(STUDENTS));
			crowd.begin(stage.scaled(STUDENTS));
			crowd.onlyActive(stage.scaled(IN_EXAMS));
			crowd.goShopping(Math.max(10, stage.scaled(IN_EXAMS) / SECONDS_BETWEEN_VISITS));
			try (Watch watch = Watch.begin(redis, postgres, side, crowd)) {
				CourseCache cache = new CourseCache(redis, COURSE_BYTES);
				cache.addUntil(() -> redis.usedMemory() > memory / 2);
				List<String> warned = side.isOurs() ? awaitWarning(side) : List.of();
				boolean before = cache.evicted() == 0;
				stage.say("%s: the cache is half full; the doctor has said: %s", side.name(), warned);
				cache.addUntil(() -> cache.evicted() >= stage.scaled(EVICTED)
						&& missing(redis, side, crowd) >= LEAST_MISSING * crowd.size());
				long missing = missing(redis, side, crowd);
				watch.happensAgain();
				stage.say("%s: Redis has evicted %d keys", side.name(), cache.evicted());
				watch.awaitWarm(Duration.ofSeconds(5), stage.scaled(AT_MOST));
				Map<String, Object> details = new LinkedHashMap<>();
				details.put("evicted_keys", cache.evicted());
				details.put("sessions_missing_in_redis", missing);
				return watch.end(name(), details,
						Demand.not(side.isOurs() && !before,
								"the cache was evicted before the doctor had to say something"),
						Demand.not(side.isOurs() && warned.size() < 2, "the doctor has not warned of both"),
						new Demand("not each session that was missing has been counted",
								() -> !side.isOurs() || allAreCounted(side, missing, details)),
						watch.warm());
			}
		}
	}

	private static long missing(RedisServer redis, Side side, Crowd crowd) {
		return crowd.size() - Watch.sessionKeys(redis, side).all();
	}

	/**
	 * Whether each session that was missing has been counted, when everybody has looked.
	 */
	private static boolean allAreCounted(Side side, long missing, Map<String, Object> details) {
		long lost = side.ours().events.of("lostByRedis");
		long unanswered = side.ours().events.of("redisUnavailable");
		long putBack = side.ours().sessions().resyncProgress().putBack();
		details.put("reads_counted_as_lost_by_redis", lost);
		details.put("put_back_before_they_were_read", putBack);
		details.put("reads_that_redis_did_not_answer", unanswered);
		return lost > 0 && lost + unanswered + putBack >= missing;
	}

	/**
	 * What the doctor says of the policy and of the other keys.
	 */
	private static List<String> awaitWarning(Side side) {
		Awaitility.await()
			.atMost(Duration.ofSeconds(20))
			.until(() -> side.doctor().severity(Check.SHARED_INSTANCE).isPresent());
		Report report = side.doctor();
		List<String> said = new ArrayList<>();
		report.findings()
			.stream()
			.filter((finding) -> finding.check() == Check.EVICTION_POLICY || finding.check() == Check.SHARED_INSTANCE)
			.forEach((finding) -> said.add(finding.severity() + " " + finding.check().id()));
		return said;
	}

}

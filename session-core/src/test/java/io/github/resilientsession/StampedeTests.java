package io.github.resilientsession;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;

import io.github.resilientsession.testsupport.ConnectionWatch;
import io.github.resilientsession.testsupport.PostgresServer;
import io.github.resilientsession.testsupport.RealServers;
import io.github.resilientsession.testsupport.RedisServer;
import io.github.resilientsession.testsupport.StatementCount;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

/**
 * What many misses at once do to the database, counted at the database.
 */
@RealServers
class StampedeTests {

	/**
	 * Not that of versions, by which is looked after what was put back.
	 */
	private static final String LOAD = "moved_to from resilient_session where session_id = any(";

	private final RedisServer redis;

	private final PostgresServer postgres;

	private String url;

	private SessionNode node;

	StampedeTests(RedisServer redis, PostgresServer postgres) {
		this.redis = redis;
		this.postgres = postgres;
	}

	@BeforeEach
	void start() {
		this.url = this.postgres.createDatabase();
		this.node = SessionNode.on(this.redis, this.url).notPuttingBack().start();
		keepFromComparing();
	}

	/**
	 * Let no node begin to compare the copies with the rows in the background.
	 */
	private void keepFromComparing() {
		this.postgres.execute(PostgresServer.database(this.url),
				"delete from resilient_session_lease; insert into resilient_session_lease "
						+ "values ('resync', 'the test', %d, '')".formatted(Long.MAX_VALUE));
	}

	@AfterEach
	void stop() {
		this.node.close();
	}

	@Test
	void missesOf2000Sessions_areAnsweredByAFewQueriesWithinTheBulkhead() throws Exception {
		List<String> ids = new ArrayList<>();
		for (int i = 0; i < 2_000; i++) {
			ids.add(this.node.create("number", Integer.toString(i)));
		}
		this.redis.flushAll();
		StatementCount queries = this.postgres.countStatements(LOAD);
		long start = System.nanoTime();
		try (ConnectionWatch watch = this.postgres.watchConnections(SessionNode.APPLICATION_NAME)) {
			List<Object> numbers = atOnce(ids, (id) -> this.node.get(id, "number"));
			for (int i = 0; i < ids.size(); i++) {
				assertThat(numbers.get(i)).isEqualTo(Integer.toString(i));
			}
			assertThat(watch.peakActive()).isPositive().isLessThanOrEqualTo(SessionNode.MAX_CONCURRENT_LOADS);
			assertThat(watch.peak()).isLessThanOrEqualTo(8);
		}
		assertThat(queries.count()).isPositive().isLessThanOrEqualTo(mostQueries(2_000, start));
		// On a small machine 2,000 threads may keep each other from seeing Redis's answer
		// in time.
		assertThat(this.node.events.of("lostByRedis") + this.node.events.of("redisUnavailable")).isEqualTo(2_000);
		assertThat(this.node.events.of("shed")).isZero();
	}

	@Test
	void missesOfMoreSessionsThanMayWait_areUnavailable_andNeverAbsent() throws Exception {
		List<String> ids = new ArrayList<>();
		for (int i = 0; i < 600; i++) {
			ids.add(this.node.create("number", "1"));
		}
		try (SessionNode small = SessionNode.on(this.redis, this.url).notPuttingBack().loadQueue(100).start()) {
			this.redis.flushAll();
			this.postgres.pause();
			List<String> answers;
			try {
				answers = atOnce(ids, (id) -> {
					try {
						return small.get(id, "number").toString();
					}
					catch (SessionStoreUnavailableException ex) {
						return "unavailable";
					}
				});
			}
			finally {
				this.postgres.resume();
			}
			assertThat(answers).hasSize(600).containsOnly("unavailable");
			assertThat(small.events.of("shed")).isBetween(1L, 600L);
			await().ignoreExceptions().until(() -> small.get(ids.get(0), "number").equals("1"));
		}
	}

	@Test
	void readsOfOneMissingCopy_shareOneLoad() throws Exception {
		String id = this.node.create("a", "1");
		// Only this one: once the loss of all is noticed, no load from before is shared.
		this.redis.call((commands) -> commands.del("spring:session:sessions:" + id));
		StatementCount queries = this.postgres.countStatements(LOAD);
		List<String> reads = new ArrayList<>();
		for (int i = 0; i < 500; i++) {
			reads.add(id);
		}
		assertThat(atOnce(reads, (each) -> this.node.get(each, "a"))).containsOnly("1").hasSize(500);
		// Whoever does not see Redis's answer in time does not know whether the load is
		// new enough.
		long alone = this.node.events.of("redisUnavailable");
		assertThat(queries.count()).isBetween(1L, 1 + alone);
		assertThat(this.node.events.of("sessionsLoaded")).isBetween(1L, 1 + alone);
	}

	@Test
	void readsOfSuspectCopies_shareFewQueries_andNoneOnceTheirSessionsHaveBeenCompared() throws Exception {
		List<String> ids = new ArrayList<>();
		for (int i = 0; i < 200; i++) {
			ids.add(this.node.create("a", "1"));
		}
		String one = this.node.create("a", "1");
		this.redis.call((commands) -> commands.hset("spring:session:agreed", "incarnation", "another"));
		await().until(() -> !this.node.trustsRedis());
		StatementCount queries = this.postgres.countStatements(LOAD);
		for (int i = 0; i < 100; i++) {
			assertThat(this.node.get(one, "a")).isEqualTo("1");
		}
		assertThat(queries.count()).isEqualTo(1);
		long start = System.nanoTime();
		assertThat(atOnce(ids, (id) -> this.node.get(id, "a"))).containsOnly("1").hasSize(200);
		long compared = queries.count();
		assertThat(compared).isBetween(2L, 1 + mostQueries(200, start));
		ids.forEach((id) -> assertThat(this.node.get(id, "a")).isEqualTo("1"));
		assertThat(queries.count()).isEqualTo(compared);
		assertThat(this.node.trustsRedis()).isFalse();
	}

	/**
	 * Half a batch each, or one in 10 ms where the machine is slow to ask; those that
	 * come alone at the beginning do not wait.
	 */
	private static long mostQueries(int sessions, long start) {
		return sessions / 50 + TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - start) / 10 + 20;
	}

	private static <T, R> List<R> atOnce(List<T> items, java.util.function.Function<T, R> work) throws Exception {
		ExecutorService threads = Executors.newFixedThreadPool(items.size());
		try {
			CountDownLatch ready = new CountDownLatch(items.size());
			CompletableFuture<Void> go = new CompletableFuture<>();
			List<Future<R>> results = new ArrayList<>();
			for (T item : items) {
				results.add(threads.submit(() -> {
					ready.countDown();
					go.join();
					return work.apply(item);
				}));
			}
			assertThat(ready.await(60, TimeUnit.SECONDS)).isTrue();
			go.complete(null);
			List<R> answers = new ArrayList<>();
			for (Future<R> result : results) {
				answers.add(result.get(60, TimeUnit.SECONDS));
			}
			return answers;
		}
		finally {
			threads.shutdownNow();
		}
	}

}

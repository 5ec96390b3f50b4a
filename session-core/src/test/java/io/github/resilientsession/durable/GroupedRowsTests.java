package io.github.resilientsession.durable;

import java.sql.Connection;
import java.sql.Statement;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.IntFunction;
import java.util.stream.IntStream;

import com.zaxxer.hikari.HikariDataSource;
import io.github.resilientsession.record.Lookup;
import io.github.resilientsession.record.SessionChange;
import io.github.resilientsession.record.SessionRecord;
import io.github.resilientsession.record.SessionStoreListener;
import io.github.resilientsession.testsupport.Fault;
import io.github.resilientsession.testsupport.PostgresServer;
import io.github.resilientsession.testsupport.RealServers;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

import org.springframework.dao.DataAccessException;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

/**
 * Tests for writes of many requests at once, which share statements.
 */
@RealServers
class GroupedRowsTests {

	private static final Duration HALF_AN_HOUR = Duration.ofMinutes(30);

	private static final int THREADS = 16;

	private final Instant now = Instant.now().truncatedTo(ChronoUnit.MILLIS);

	private final ExecutorService threads = Executors.newFixedThreadPool(THREADS);

	private final AtomicInteger statements = new AtomicInteger();

	private final PostgresServer server;

	private final String url;

	private final HikariDataSource pool;

	private final DurableTier tier;

	GroupedRowsTests(PostgresServer server) {
		this.server = server;
		this.url = server.createDatabase();
		this.pool = pool();
		Duration limit = Duration.ofSeconds(10);
		this.pool.setConnectionInitSql(Platform.POSTGRESQL.connectionInitSql(limit));
		this.tier = new DurableTier(new CountingDataSource(this.pool, this.statements),
				new DurableSettings(limit, Duration.ofSeconds(30), Platform.POSTGRESQL), Clock.systemUTC(),
				SessionStoreListener.NO_OP);
	}

	@BeforeEach
	void createSchema() {
		this.tier.initializeSchema();
	}

	@AfterEach
	void close() {
		this.threads.shutdownNow();
		this.tier.close();
		this.pool.close();
	}

	@Test
	void writesAtOnce_areEachMadeAndShareStatements() throws Exception {
		assertThat(atOnce(200, (i) -> this.tier.insert(session("s" + i, 1), false, null))).containsOnly(true);
		this.statements.set(0);
		assertThat(atOnce(200, (i) -> this.tier.update(session("s" + i, 2), 1, null, false, null)))
			.containsOnly(Optional.of(Set.of()));
		assertThat(this.statements).hasValueLessThan(150);
		for (int i = 0; i < 200; i++) {
			assertThat(this.tier.loadForMerge("s" + i)).isInstanceOfSatisfying(Lookup.Hit.class,
					(hit) -> assertThat(hit.session().version()).isEqualTo(2));
		}
		this.statements.set(0);
		assertThat(atOnce(200,
				(i) -> this.tier.changeId("s" + i, 2, session("moved" + i, 3), false, (i == 7) ? "t7" : null)))
			.allMatch(Optional::isPresent)
			.contains(Optional.of(Set.of("t7")));
		assertThat(this.statements).hasValueLessThan(150);
		this.statements.set(0);
		assertThat(atOnce(200, (i) -> this.tier.end("moved" + i, false, HALF_AN_HOUR)))
			.containsOnly(OptionalLong.of(4));
		assertThat(this.statements).hasValueLessThan(150);
		for (int i = 0; i < 200; i++) {
			int number = i;
			assertThat(this.tier.loadForMerge("s" + i)).isInstanceOfSatisfying(Lookup.Ended.class,
					(ended) -> assertThat(ended.movedTo()).isEqualTo("moved" + number));
			assertThat(this.tier.loadForMerge("moved" + i)).isInstanceOfSatisfying(Lookup.Ended.class, (ended) -> {
				assertThat(ended.movedTo()).isNull();
				assertThat(ended.persisted()).isEqualTo((number == 7) ? Set.of("t7") : Set.of());
			});
		}
	}

	@Test
	void columns_areWrittenAsByAStatementForOneRow() throws Exception {
		SessionRecord first = new SessionRecord("s", 1, this.now.minusSeconds(100), this.now.minusSeconds(10),
				HALF_AN_HOUR, "alice", Map.of("a", new byte[] { 1 }));
		this.tier.insert(first, true, "t1");
		SessionRecord next = new SessionRecord("s", 5, this.now, this.now.minusSeconds(20), Duration.ofMinutes(10),
				"bob", Map.of("b", new byte[] { 2 }));
		assertThat(this.tier.update(next, 1, null, false, "t2 t3")).contains(Set.of("t1", "t2", "t3"));
		assertThat(this.tier.findByPrincipalName("alice")).singleElement().satisfies((session) -> {
			assertThat(session.version()).isEqualTo(5);
			assertThat(session.creationTime()).isEqualTo(first.creationTime());
			assertThat(session.lastAccessedTime()).isEqualTo(first.lastAccessedTime());
			assertThat(session.maxInactiveInterval()).isEqualTo(Duration.ofMinutes(10));
			assertThat(session.attributes()).containsOnlyKeys("b");
		});
		assertThat(this.tier.pending("", 10)).hasSize(1);
		assertThat(this.tier.update(next.withVersion(6), 5, new SessionChange.Principal(null), false, null))
			.contains(Set.of("t1", "t2", "t3"));
		assertThat(this.tier.findByPrincipalName("alice")).isEmpty();
		SessionRecord moved = new SessionRecord("t", 7, this.now, this.now, HALF_AN_HOUR, "carol", Map.of());
		assertThat(this.tier.changeId("s", 6, moved, true, "t4")).contains(Set.of("t1", "t2", "t3", "t4"));
		assertThat(this.tier.findByPrincipalName("carol")).extracting(SessionRecord::id).containsExactly("t");
		assertThat(this.tier.pending("", 10)).hasSize(2);
		assertThat(this.server.queryForLong(PostgresServer.database(this.url),
				"select count(*) from resilient_session where session_id = 's' and state = 1 and moved_to = 't'"
						+ " and principal_name is null and version = 7"))
			.isOne();
	}

	@Test
	void ofWritesOfOneVersionAtOnce_oneIsMade() throws Exception {
		assertThat(atOnce(THREADS, (i) -> this.tier.insert(session("s", 1), false, null))).containsOnlyOnce(true);
		List<Optional<Set<String>>> updated = atOnce(THREADS,
				(i) -> this.tier.update(session("s", 2), 1, null, false, null));
		assertThat(updated).filteredOn(Optional::isPresent).hasSize(1);
		List<Optional<Set<String>>> moved = atOnce(THREADS,
				(i) -> this.tier.changeId("s", 2, session("moved" + i, 3), false, null));
		assertThat(moved).filteredOn(Optional::isPresent).hasSize(1);
		int winner = IntStream.range(0, THREADS).filter((i) -> moved.get(i).isPresent()).findFirst().orElseThrow();
		assertThat(this.tier.loadForMerge("s")).isInstanceOfSatisfying(Lookup.Ended.class,
				(ended) -> assertThat(ended.movedTo()).isEqualTo("moved" + winner));
		for (int i = 0; i < THREADS; i++) {
			assertThat(this.tier.loadForMerge("moved" + i) instanceof Lookup.Hit).isEqualTo(i == winner);
		}
		List<OptionalLong> ended = atOnce(THREADS, (i) -> this.tier.end("moved" + winner, false, HALF_AN_HOUR));
		assertThat(ended).filteredOn(OptionalLong::isPresent).hasSize(1);
	}

	@Test
	void changeToAnIdThatIsTaken_changesNothing() {
		this.tier.insert(session("s", 1), false, null);
		this.tier.insert(session("taken", 1), false, null);
		assertThat(this.tier.changeId("s", 1, session("taken", 2), false, null)).isEmpty();
		assertThat(this.tier.loadForMerge("s")).isInstanceOf(Lookup.Hit.class);
		assertThat(this.tier.loadForMerge("taken")).isInstanceOfSatisfying(Lookup.Hit.class,
				(hit) -> assertThat(hit.session().version()).isOne());
	}

	@Test
	void lockedRow_keepsOnlyItsOwnWriteWaiting() throws Exception {
		for (int i = 0; i < THREADS; i++) {
			this.tier.insert(session("s" + i, 1), false, null);
		}
		Fault lock = this.server.lockRow(this.url, "resilient_session", "session_id = 's0'");
		Future<Optional<Set<String>>> waiting;
		try {
			waiting = this.threads.submit(() -> this.tier.update(session("s0", 2), 1, null, false, null));
			for (int round = 0; round < 10; round++) {
				int version = round + 1;
				List<Callable<Optional<Set<String>>>> others = new ArrayList<>();
				for (int i = 1; i < THREADS - 1; i++) {
					String id = "s" + i;
					others.add(() -> this.tier.update(session(id, version + 1), version, null, false, null));
				}
				for (Future<Optional<Set<String>>> other : this.threads.invokeAll(others, 4, TimeUnit.SECONDS)) {
					assertThat(other.get()).isPresent();
				}
			}
			assertThat(waiting.isDone()).isFalse();
		}
		finally {
			lock.close();
		}
		assertThat(waiting.get(10, TimeUnit.SECONDS)).isPresent();
	}

	@Test
	void writeWhoseTurnDoesNotCome_isMadeAlone() throws Exception {
		HikariDataSource waitingForLocks = pool();
		DurableTier impatient = new DurableTier(waitingForLocks,
				new DurableSettings(Duration.ofSeconds(2), Duration.ofSeconds(30), Platform.POSTGRESQL),
				Clock.systemUTC(), SessionStoreListener.NO_OP);
		try (waitingForLocks;
				impatient;
				Connection other = this.pool.getConnection();
				Statement statement = other.createStatement()) {
			other.setAutoCommit(false);
			statement.execute("insert into resilient_session select 's0', 1, null, 0, 0, 60, 60000, '', 0, false");
			// Whoever inserts the same waits for what becomes of it.
			Future<Boolean> holdingUp = this.threads.submit(() -> impatient.insert(session("s0", 1), false, null));
			await().until(() -> this.server.queryForLong("select count(*) from pg_locks where not granted") == 1);
			assertThat(impatient.insert(session("s1", 1), false, null)).isTrue();
			other.rollback();
			await().until(holdingUp::isDone);
		}
	}

	@Test
	void writeThatTheDatabaseRefuses_failsAlone() throws Exception {
		for (int i = 0; i < THREADS; i++) {
			this.tier.insert(session("s" + i, 1), false, null);
		}
		SessionChange.Principal impossible = new SessionChange.Principal("a\0b");
		List<Future<Optional<Set<String>>>> writes = start(THREADS,
				(i) -> this.tier.update(session("s" + i, 2), 1, (i == 3) ? impossible : null, false, null));
		for (int i = 0; i < THREADS; i++) {
			if (i == 3) {
				Future<?> refused = writes.get(i);
				CompletableFuture<Throwable> failure = new CompletableFuture<>();
				try {
					refused.get(10, TimeUnit.SECONDS);
				}
				catch (ExecutionException ex) {
					failure.complete(ex.getCause());
				}
				assertThat(failure).isCompletedWithValueMatching(DataAccessException.class::isInstance);
			}
			else {
				assertThat(writes.get(i).get(10, TimeUnit.SECONDS)).isPresent();
			}
		}
	}

	@Test
	void whatFollowsACommit_isBegunWhenItIsDurableAndEndsBeforeTheWriteReturns() throws Exception {
		this.tier.insert(session("s", 1), false, null);
		CountDownLatch begun = new CountDownLatch(1);
		CompletableFuture<Boolean> following = new CompletableFuture<>();
		Future<Optional<Set<String>>> write = this.threads
			.submit(() -> this.tier.update(session("s", 2), 1, null, false, "t", (persisted) -> {
				assertThat(persisted).containsExactly("t");
				begun.countDown();
				return following;
			}));
		assertThat(begun.await(10, TimeUnit.SECONDS)).isTrue();
		assertThat(this.tier.versions(List.of("s")).get("s").version()).isEqualTo(2);
		assertThat(write.isDone()).isFalse();
		following.complete(true);
		assertThat(write.get(10, TimeUnit.SECONDS)).contains(Set.of("t"));
		AtomicInteger more = new AtomicInteger();
		assertThat(this.tier.update(session("s", 2), 1, null, false, null, (persisted) -> {
			more.incrementAndGet();
			return null;
		})).isEmpty();
		assertThat(more).hasValue(0);
	}

	private HikariDataSource pool() {
		HikariDataSource pool = new HikariDataSource();
		pool.setJdbcUrl(this.url);
		pool.setUsername(this.server.username());
		pool.setPassword(this.server.password());
		return pool;
	}

	private <T> List<T> atOnce(int count, IntFunction<T> write) throws Exception {
		List<T> results = new ArrayList<>();
		for (Future<T> result : start(count, write)) {
			results.add(result.get(30, TimeUnit.SECONDS));
		}
		return results;
	}

	/**
	 * Start writes, as many at once as there are threads.
	 */
	private <T> List<Future<T>> start(int count, IntFunction<T> write) {
		CyclicBarrier together = new CyclicBarrier(THREADS);
		return IntStream.range(0, count).mapToObj((i) -> this.threads.submit(() -> {
			if (i < THREADS) {
				together.await();
			}
			return write.apply(i);
		})).toList();
	}

	private SessionRecord session(String id, long version) {
		return new SessionRecord(id, version, this.now, this.now, HALF_AN_HOUR, null, Map.of("a", new byte[] { 1 }));
	}

}

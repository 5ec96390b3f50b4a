package io.github.resilientsession.durable;

import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.regex.Pattern;
import java.util.stream.IntStream;

import com.zaxxer.hikari.HikariDataSource;
import io.github.resilientsession.record.Lookup;
import io.github.resilientsession.record.SessionChange.Principal;
import io.github.resilientsession.record.SessionRecord;
import io.github.resilientsession.record.SessionStoreListener;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.assertj.core.data.Offset;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import org.springframework.dao.DataAccessException;
import org.springframework.jdbc.core.JdbcTemplate;
import org.springframework.jdbc.datasource.DataSourceTransactionManager;
import org.springframework.jdbc.datasource.TransactionAwareDataSourceProxy;
import org.springframework.transaction.support.TransactionTemplate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

/**
 * What the durable tier does beyond the contract of every tier, on any database.
 */
abstract class DurableTierTests {

	private static final Instant NOW = Instant.parse("2026-03-01T12:00:30Z");

	private static final Duration HALF_AN_HOUR = Duration.ofMinutes(30);

	private static final Duration GRACE = Duration.ofSeconds(30);

	private final AtomicInteger quarantined = new AtomicInteger();

	private final AtomicInteger statements = new AtomicInteger();

	private final HikariDataSource pool;

	private final Platform platform;

	private final JdbcTemplate jdbc;

	private final DurableTier tier;

	DurableTierTests(HikariDataSource pool, Platform platform) {
		this.pool = pool;
		this.platform = platform;
		this.jdbc = new JdbcTemplate(pool);
		this.tier = tierAt(NOW);
	}

	@BeforeEach
	void createSchema() {
		this.tier.initializeSchema();
		this.tier.initializeSchema();
		this.statements.set(0);
	}

	@AfterEach
	void close() {
		this.tier.close();
		this.pool.close();
	}

	@Test
	void load_ofHundredMixedIds_answersEachWithOneStatement() {
		List<String> ids = IntStream.range(0, 100).mapToObj((i) -> "s" + i).toList();
		for (int i = 0; i < 100; i += 3) {
			this.tier.insert(session("s" + i, 1), false, null);
		}
		for (int i = 0; i < 100; i += 6) {
			this.tier.end("s" + i, false, HALF_AN_HOUR);
		}
		try (DurableTier counted = new DurableTier(new CountingDataSource(this.pool, this.statements),
				settings(this.platform), Clock.fixed(NOW, ZoneOffset.UTC), SessionStoreListener.NO_OP)) {
			Map<String, Lookup> found = counted.load(ids);
			assertThat(this.statements).hasValue(1);
			assertThat(found).hasSize(100);
			for (int i = 0; i < 100; i++) {
				assertThat(found.get("s" + i)).isInstanceOf(
						(i % 6 == 0) ? Lookup.Ended.class : (i % 3 == 0) ? Lookup.Hit.class : Lookup.Miss.class);
			}
		}
	}

	@Test
	void load_ofASessionPastItsTimeout_isExpiredOnceTheGraceHasPassed() {
		this.tier.insert(session("long", 1), false, null);
		Instant end = NOW.plus(HALF_AN_HOUR).plus(GRACE);
		assertThat(loadAt(end.minusMillis(1), "long")).isInstanceOf(Lookup.Hit.class);
		assertThat(loadAt(end, "long")).isInstanceOfSatisfying(Lookup.Expired.class,
				(expired) -> assertThat(expired.session().attributes()).containsOnlyKeys("a"));
		SessionRecord brief = new SessionRecord("brief", 1, NOW, NOW, Duration.ofSeconds(20), null, Map.of());
		this.tier.insert(brief, false, null);
		assertThat(loadAt(NOW.plusMillis(20_999), "brief")).isInstanceOf(Lookup.Hit.class);
		assertThat(loadAt(NOW.plusMillis(21_000), "brief")).isInstanceOf(Lookup.Expired.class);
		try (DurableTier later = tierAt(end.plusSeconds(3600))) {
			assertThat(later.loadForMerge("long")).isInstanceOf(Lookup.Hit.class);
		}
	}

	@Test
	void load_ofACorruptRow_isAMissThatLeavesTheRowAndTheOthersAlone() {
		this.tier.insert(session("good", 1), false, null);
		this.tier.insert(session("bad", 1), false, null);
		byte[] garbage = { 1, 2, 3 };
		this.jdbc.update("update resilient_session set attributes = ? where session_id = 'bad'", garbage);
		for (int i = 0; i < 2; i++) {
			Map<String, Lookup> found = this.tier.load(List.of("good", "bad"));
			assertThat(found.get("good")).isInstanceOf(Lookup.Hit.class);
			assertThat(found.get("bad")).isInstanceOf(Lookup.Miss.class);
		}
		assertThat(this.quarantined).hasValue(1);
		assertThat(this.jdbc.queryForObject("select attributes from resilient_session where session_id = 'bad'",
				byte[].class))
			.isEqualTo(garbage);
	}

	@Test
	void load_whileTheSessionIsWritten_alwaysReadsAWholeState() throws Exception {
		byte[] value = new byte[100_000];
		this.tier.insert(new SessionRecord("busy", 1, NOW, NOW, HALF_AN_HOUR, null, Map.of("a", value)), false, null);
		ExecutorService executor = Executors.newSingleThreadExecutor();
		try {
			Future<?> writer = executor.submit(() -> {
				for (long version = 2; version < 300; version++) {
					this.tier.update(new SessionRecord("busy", version, NOW, NOW, HALF_AN_HOUR, null,
							Map.of("a", new byte[100_000 + (int) version])), version - 1, null, false, null);
				}
			});
			while (!writer.isDone()) {
				SessionRecord read = hit("busy");
				assertThat(read.attributes().get("a").length).isGreaterThanOrEqualTo(100_000);
			}
			writer.get();
		}
		finally {
			executor.shutdownNow();
		}
	}

	@Test
	void update_byManyWithTheSameBase_letsExactlyOneWin() throws Exception {
		this.tier.insert(session("s", 1), false, null);
		List<Callable<Boolean>> writers = new ArrayList<>();
		CyclicBarrier start = new CyclicBarrier(4);
		for (int i = 0; i < 4; i++) {
			String name = "writer" + i;
			writers.add(() -> {
				start.await();
				return this.tier
					.update(new SessionRecord("s", 2, NOW, NOW, HALF_AN_HOUR, null, Map.of(name, new byte[] { 1 })), 1,
							null, false, null)
					.isPresent();
			});
		}
		assertThat(inParallel(writers)).containsOnlyOnce(true);
		assertThat(hit("s").version()).isEqualTo(2);
		assertThat(hit("s").attributes()).hasSize(1);
	}

	@Test
	void update_changesThePrincipalOnlyIfToldTo() {
		SessionRecord first = new SessionRecord("s", 1, NOW, NOW, HALF_AN_HOUR, "alice", Map.of());
		this.tier.insert(first, false, null);
		this.tier.update(session("s", 2), 1, null, false, null);
		assertThat(hit("s").principalName()).isEqualTo("alice");
		this.tier.update(session("s", 3), 2, new Principal("bob"), false, null);
		assertThat(hit("s").principalName()).isEqualTo("bob");
		this.tier.update(session("s", 4), 3, new Principal(null), false, null);
		assertThat(hit("s").principalName()).isNull();
	}

	@Test
	void update_neverMovesTheLastAccessBackwards() {
		this.tier.insert(session("s", 1), false, null);
		this.tier.touch(List.of(new Touch("s", NOW.plusSeconds(90))));
		this.tier.update(session("s", 2), 1, null, false, null);
		assertThat(hit("s").lastAccessedTime()).isEqualTo(NOW.plusSeconds(90));
		// 12:00:30 + 90 s + 30 min + 30 s, rounded up to the minute
		assertThat(expiresAt("s")).isEqualTo(Instant.parse("2026-03-01T12:33:00Z"));
	}

	@Test
	void update_ofAnIntervalBeyondTheRangeOfMilliseconds_isKept() {
		Duration years = Duration.ofSeconds(Integer.MAX_VALUE);
		this.tier.insert(session("s", 1), false, null);
		this.tier.update(new SessionRecord("s", 2, NOW, NOW, years, null, Map.of()), 1, null, false, null);
		this.tier.touch(List.of(new Touch("s", NOW.plusSeconds(1))));
		assertThat(hit("s").maxInactiveInterval()).isEqualTo(years);
		assertThat(expiresAt("s")).isAfter(NOW.plus(years));
	}

	@Test
	void end_emptiesTheRow_andAnswersTheVersionOnce() {
		this.tier.insert(new SessionRecord("s", 4, NOW, NOW, HALF_AN_HOUR, "alice", Map.of("a", new byte[1000])), false,
				null);
		assertThat(this.tier.end("s", false, HALF_AN_HOUR)).hasValue(5);
		assertThat(this.tier.end("s", false, HALF_AN_HOUR)).isEmpty();
		assertThat(this.tier.end("unknown", false, HALF_AN_HOUR)).hasValue(1);
		assertThat(this.tier.end("unknown", false, HALF_AN_HOUR)).isEmpty();
		assertThat(this.tier.insert(session("unknown", 1), false, null)).isFalse();
		assertThat(this.jdbc.queryForMap("select principal_name, state from resilient_session where session_id = 's'"))
			.containsEntry("principal_name", null);
		byte[] rest = this.jdbc.queryForObject("select attributes from resilient_session where session_id = 's'",
				byte[].class);
		assertThat(rest).hasSizeLessThan(20);
	}

	@Test
	void changeId_endsTheOldRowAndInsertsTheNewOne() {
		this.tier.insert(session("old", 1), false, null);
		assertThat(this.tier.changeId("old", 1, session("new", 2), true, null)).isPresent();
		assertThat(load("old")).isInstanceOf(Lookup.Ended.class);
		assertThat(hit("new").version()).isEqualTo(2);
		assertThat(this.tier.pending("", 10)).extracting(PendingRow::id).containsExactlyInAnyOrder("old", "new");
	}

	@Test
	void changeId_ofAnotherVersion_changesNothing() {
		this.tier.insert(session("old", 1), false, null);
		this.tier.update(session("old", 2), 1, null, false, null);
		assertThat(this.tier.changeId("old", 1, session("new", 2), false, null)).isEmpty();
		assertThat(hit("old").version()).isEqualTo(2);
		assertThat(load("new")).isInstanceOf(Lookup.Miss.class);
	}

	@Test
	void changeId_toAnIdThatExists_changesNothing() {
		this.tier.insert(session("old", 1), false, null);
		this.tier.insert(session("taken", 7), false, null);
		assertThat(this.tier.changeId("old", 1, session("taken", 2), false, null)).isEmpty();
		assertThat(hit("old").version()).isEqualTo(1);
		assertThat(hit("taken").version()).isEqualTo(7);
	}

	@Test
	void changeId_thatFailsHalfWay_leavesTheOldSessionActive() {
		this.tier.insert(session("old", 1), false, null);
		assertThatExceptionOfType(RuntimeException.class)
			.isThrownBy(() -> this.tier.changeId("old", 1, session("x".repeat(300), 2), false, null));
		assertThat(hit("old").version()).isEqualTo(1);
	}

	@Test
	void versions_tellThoseOfAllThatHaveARow() {
		this.tier.insert(session("one", 1), false, null);
		this.tier.insert(session("seven", 7), false, null);
		this.tier.insert(session("ended", 3), false, null);
		this.tier.end("ended", false, HALF_AN_HOUR);
		assertThat(this.tier.versions(List.of("one", "seven", "ended", "unknown"))).isEqualTo(Map.of("one",
				new RowVersion(1, false), "seven", new RowVersion(7, false), "ended", new RowVersion(4, true)));
		assertThat(this.tier.versions(List.of())).isEmpty();
	}

	@Test
	void persistedWrites_areRemembered_theLastOnesIfThereAreTooMany() {
		this.tier.insert(session("s", 1), false, null);
		assertThat(hit("s").persisted()).isEmpty();
		assertThat(this.tier.update(session("s", 2), 1, null, false, "a")).contains(Set.of("a"));
		assertThat(this.tier.update(session("s", 3), 2, null, false, null)).contains(Set.of("a"));
		assertThat(hit("s").persisted()).containsExactly("a");
		this.tier.update(session("s", 4), 3, new Principal("alice"), false, "b a");
		assertThat(hit("s").persisted()).containsExactlyInAnyOrder("a", "b");
		this.tier.changeId("s", 4, session("t", 5), false, null);
		assertThat(hit("t").persisted()).containsExactlyInAnyOrder("a", "b");
		assertThat(this.tier.changeId("t", 5, session("u", 6), false, "c d")).contains(Set.of("a", "b", "c", "d"));
		assertThat(hit("u").persisted()).containsExactlyInAnyOrder("a", "b", "c", "d");
		this.tier.update(session("u", 7), 6, null, false, "e".repeat(2_046));
		assertThat(hit("u").persisted()).containsExactlyInAnyOrder("d", "e".repeat(2_046));
		this.tier.insert(session("v", 1), false, "f");
		assertThat(hit("v").persisted()).containsExactly("f");
	}

	@Test
	void endedRow_tellsTheIdThatTheSessionWasGivenInstead() {
		this.tier.insert(session("old", 1), false, null);
		this.tier.changeId("old", 1, session("new", 2), false, null);
		assertThat(this.tier.loadForMerge("old")).isEqualTo(new Lookup.Ended("new"));
		this.tier.insertChanged("unknown", HALF_AN_HOUR, session("newer", 1), false, null);
		assertThat(this.tier.loadForMerge("unknown")).isEqualTo(new Lookup.Ended("newer"));
		this.tier.end("new", false, HALF_AN_HOUR);
		assertThat(this.tier.loadForMerge("new")).isEqualTo(new Lookup.Ended(null));
	}

	@Test
	void end_keepsTheRowForAsLongAsAnyCopyCanLive() {
		this.tier.insert(session("s", 1), false, null);
		this.tier.insert(session("old", 1), false, null);
		Instant later = NOW.plus(Duration.ofMinutes(20));
		try (DurableTier then = tierAt(later)) {
			then.end("s", false, Duration.ofHours(7));
			then.end("unknown", false, Duration.ofHours(7));
			then.changeId("old", 1, session("new", 2), false, null);
		}
		assertThat(expiresAt("s")).isBetween(later.plus(Duration.ofMinutes(40)), later.plus(Duration.ofMinutes(41)));
		assertThat(expiresAt("old")).isEqualTo(expiresAt("s"));
		assertThat(expiresAt("unknown")).isBetween(later.plus(Duration.ofMinutes(430)),
				later.plus(Duration.ofMinutes(431)));
	}

	@Test
	void findExpired_findsThoseWhoseExactExpiryHasPassed_oldestFirst() {
		for (int i = 0; i < 6; i++) {
			Instant accessed = NOW.minus(Duration.ofHours(1)).plusSeconds(i * 120L);
			this.tier.insert(new SessionRecord("s" + i, 1, accessed, accessed, HALF_AN_HOUR, null, Map.of()), false,
					null);
		}
		this.tier.insert(session("alive", 1), false, null);
		this.tier.end("s3", false, HALF_AN_HOUR);
		this.jdbc.update("update resilient_session set attributes = ? where session_id in ('s0', 's2')",
				new byte[] { 1 });
		assertThat(this.tier.findExpired(NOW, 2)).extracting(SessionRecord::id).containsExactly("s1", "s4");
		assertThat(this.tier.findExpired(NOW, 10)).extracting(SessionRecord::id).containsExactly("s1", "s4", "s5");
		// Whatever the coarse expiry says, the exact one counts.
		this.jdbc.update("update resilient_session set expires_at = ?", NOW.toEpochMilli());
		Instant end = NOW.plus(HALF_AN_HOUR).plus(GRACE).plusSeconds(5);
		assertThat(this.tier.findExpired(end.minusMillis(1), 10)).extracting(SessionRecord::id).doesNotContain("alive");
		assertThat(this.tier.findExpired(end, 10)).extracting(SessionRecord::id).contains("alive");
	}

	@Test
	void expire_byManyAtOnce_isTrueForOne() throws Exception {
		this.tier.insert(session("s", 1), false, null);
		SessionRecord found = hit("s");
		Instant end = NOW.plusSeconds(7200);
		CyclicBarrier start = new CyclicBarrier(4);
		assertThat(inParallel(Collections.nCopies(4, () -> {
			start.await();
			return this.tier.expire(found, end);
		}))).containsOnlyOnce(true);
		assertThat(load("s")).isInstanceOf(Lookup.Ended.class);
		assertThat(this.tier.versions(List.of("s"))).containsValue(new RowVersion(2, true));
		assertThat(expiresAt("s")).isBetween(end.plusSeconds(600), end.plusSeconds(660));
	}

	@Test
	void expire_ofARowThatWasWrittenTouchedOrEnded_changesNothing() {
		for (String id : List.of("written", "touched", "ended")) {
			this.tier.insert(session(id, 1), false, null);
		}
		this.tier.update(session("written", 2), 1, null, false, null);
		this.tier.touch(List.of(new Touch("touched", NOW.plusMillis(1))));
		this.tier.end("ended", false, HALF_AN_HOUR);
		for (String id : List.of("written", "touched", "ended", "unknown")) {
			assertThat(this.tier.expire(session(id, 1), NOW)).isFalse();
		}
		assertThat(load("written")).isInstanceOf(Lookup.Hit.class);
		assertThat(load("touched")).isInstanceOf(Lookup.Hit.class);
	}

	@Test
	void purge_deletesEndedRowsWhoseTimeHasCome_andOfWhichRedisKnows() {
		for (String id : List.of("one", "two", "three", "pending", "active")) {
			this.tier.insert(session(id, 1), false, null);
		}
		for (String id : List.of("one", "two", "three")) {
			this.tier.end(id, false, HALF_AN_HOUR);
		}
		this.tier.end("pending", true, HALF_AN_HOUR);
		assertThat(this.tier.purge(NOW.plusSeconds(2390), 10)).isZero();
		Instant then = NOW.plus(Duration.ofMinutes(41));
		assertThat(this.tier.purge(then, 2)).isEqualTo(2);
		assertThat(this.tier.purge(then, 2)).isEqualTo(1);
		assertThat(this.tier.purge(then, 2)).isZero();
		assertThat(this.tier.versions(List.of("one", "two", "three", "pending", "active"))).containsOnlyKeys("pending",
				"active");
	}

	@Test
	void findRecent_pagesThroughAllThatAreAlive_thoseThatExpireLastFirst() {
		for (int i = 0; i < 25; i++) {
			Instant accessed = NOW.minusSeconds(i * 20L);
			this.tier.insert(new SessionRecord("s" + i, 1, accessed, accessed, HALF_AN_HOUR, null, Map.of()), false,
					null);
		}
		this.tier.end("s7", false, HALF_AN_HOUR);
		this.jdbc.update("update resilient_session set last_accessed_at = 0 where session_id = 's8'");
		List<String> found = new ArrayList<>();
		RecentPage.Position next = null;
		do {
			RecentPage page = this.tier.findRecent(next, 4);
			page.sessions().forEach((session) -> found.add(session.id()));
			next = page.next();
		}
		while (next != null);
		assertThat(found).doesNotHaveDuplicates().hasSize(23).doesNotContain("s7", "s8");
		assertThat(found.stream().map(this::expiresAt)).isSortedAccordingTo(Comparator.reverseOrder());
	}

	@Test
	void lease_isOneOwnersUntilItIsReleasedOrRunsOut() {
		Duration hour = Duration.ofHours(1);
		assertThat(this.tier.acquireLease("work", "a", hour)).isEmpty();
		assertThat(this.tier.acquireLease("work", "b", hour)).isNull();
		assertThat(this.tier.acquireLease("other work", "b", hour)).isEmpty();
		assertThat(this.tier.acquireLease("work", "a", hour)).isEmpty();
		assertThat(this.tier.renewLease("work", "a", hour, "half")).isTrue();
		assertThat(this.tier.renewLease("work", "b", hour, "all")).isFalse();
		this.tier.releaseLease("work", "b");
		assertThat(this.tier.acquireLease("work", "b", hour)).isNull();
		this.tier.releaseLease("work", "a");
		assertThat(this.tier.renewLease("work", "a", hour, "all")).isFalse();
		assertThat(this.tier.acquireLease("work", "b", Duration.ZERO)).isEqualTo("half");
		assertThat(this.tier.renewLease("work", "b", Duration.ZERO, "")).isTrue();
		assertThat(this.tier.acquireLease("work", "c", hour)).isEmpty();
		assertThat(this.tier.renewLease("work", "b", hour, "all")).isFalse();
	}

	@Test
	void acquireLease_byManyAtOnce_isOnesOnly() throws Exception {
		for (int round = 0; round < 20; round++) {
			String name = "lease" + round / 2;
			CyclicBarrier start = new CyclicBarrier(4);
			List<Callable<Boolean>> nodes = new ArrayList<>();
			for (int i = 0; i < 4; i++) {
				String owner = "node" + i;
				nodes.add(() -> {
					start.await();
					return this.tier.acquireLease(name, owner, Duration.ofHours(1)) != null;
				});
			}
			assertThat(inParallel(nodes)).containsOnlyOnce(true);
			// In every other round there is a row.
			this.jdbc.update("update resilient_session_lease set expires_at = 0");
		}
	}

	@Test
	void clockOffset_isThatOfTheLastProbe() {
		try (DurableTier behind = new DurableTier(this.pool, settings(this.platform),
				Clock.offset(Clock.systemUTC(), Duration.ofHours(-1)), SessionStoreListener.NO_OP)) {
			assertThat(behind.clockOffset()).isZero();
			behind.probe();
			assertThat(behind.clockOffset()).isCloseTo(3_600_000, Offset.offset(2_000L));
		}
	}

	@Test
	void touch_ofManyInAnyOrder_onManyThreads_movesEachForwardOnce() throws Exception {
		List<Touch> forwards = new ArrayList<>();
		for (int i = 0; i < 50; i++) {
			this.tier.insert(session("s" + i, 1), false, null);
			forwards.add(new Touch("s" + i, NOW.plusMillis(i + 1)));
		}
		List<Touch> backwards = new ArrayList<>(forwards);
		Collections.reverse(backwards);
		List<String> moved = inParallel(
				List.of(touching(forwards), touching(backwards), touching(forwards), touching(backwards)))
			.stream()
			.flatMap(List::stream)
			.toList();
		assertThat(moved).containsExactlyInAnyOrderElementsOf(forwards.stream().map(Touch::id).toList());
		for (int i = 0; i < 50; i++) {
			assertThat(hit("s" + i).lastAccessedTime()).isEqualTo(NOW.plusMillis(i + 1));
		}
	}

	@Test
	void touch_whileOneRowIsLocked_movesAllOthers_andSaysWhichItLeft() throws Exception {
		List<Touch> touches = new ArrayList<>();
		for (String id : List.of("a", "b", "c", "d")) {
			this.tier.insert(session(id, 1), false, null);
			touches.add(new Touch(id, NOW.plusSeconds(1)));
		}
		this.tier.end("d", false, HALF_AN_HOUR);
		try (Connection other = this.pool.getConnection(); Statement statement = other.createStatement()) {
			other.setAutoCommit(false);
			statement.executeUpdate("update resilient_session set version = 2 where session_id = 'b'");
			assertThat(this.tier.touch(touches)).containsExactlyInAnyOrder("a", "c");
			other.rollback();
			other.setAutoCommit(true);
		}
		assertThat(hit("b").lastAccessedTime()).isEqualTo(NOW);
		assertThat(this.tier.touch(touches)).containsExactly("b");
		assertThat(hit("b").lastAccessedTime()).isEqualTo(NOW.plusSeconds(1));
	}

	@Test
	void touch_withinTheSameMinute_leavesTheIndexedExpiryAlone() {
		this.tier.insert(session("s", 1), false, null);
		Instant before = expiresAt("s");
		this.tier.touch(List.of(new Touch("s", NOW.minusSeconds(1))));
		assertThat(expiresAt("s")).isEqualTo(before);
		this.tier.touch(List.of(new Touch("s", NOW.plusSeconds(1))));
		assertThat(expiresAt("s")).isEqualTo(before.plusSeconds(60));
		this.tier.touch(List.of(new Touch("s", NOW.plusSeconds(50))));
		assertThat(expiresAt("s")).isEqualTo(before.plusSeconds(60));
	}

	@Test
	void settled_ofAnOlderVersion_keepsTheMark() {
		this.tier.insert(session("s", 1), true, null);
		assertThat(this.tier.update(session("s", 2), 1, null, false, null)).isPresent();
		assertThat(this.tier.settled(List.of(new PendingRow("s", 1, null, true)))).isEmpty();
		assertThat(this.tier.pending("", 10)).extracting(PendingRow::version).containsExactly(2L);
		assertThat(this.tier.settled(List.of(new PendingRow("s", 2, null, true)))).containsExactly("s");
		assertThat(this.tier.pending("", 10)).isEmpty();
		this.tier.markPending("s");
		assertThat(this.tier.pending("", 10)).singleElement().satisfies((row) -> assertThat(row.session()).isNotNull());
		this.tier.end("s", false, HALF_AN_HOUR);
		assertThat(this.tier.pending("", 10)).containsExactly(new PendingRow("s", 3, null, true));
	}

	@Test
	void settled_whileOneRowIsLocked_settlesAllOthers() throws Exception {
		for (String id : List.of("a", "locked", "z")) {
			this.tier.insert(session(id, 1), true, null);
		}
		List<PendingRow> told = this.tier.pending("", 10);
		try (Connection connection = this.pool.getConnection(); Statement statement = connection.createStatement()) {
			connection.setAutoCommit(false);
			statement.execute("select 1 from resilient_session where session_id = 'locked' for update");
			assertThat(this.tier.settled(told)).containsExactlyInAnyOrder("a", "z");
			connection.rollback();
			connection.setAutoCommit(true);
		}
		assertThat(this.tier.pending("", 10)).extracting(PendingRow::id).containsExactly("locked");
		assertThat(this.tier.settled(told)).contains("locked");
	}

	@Test
	void pending_withRowsThatCannotBeRead_goesOnToThoseThatCan() {
		for (int i = 10; i < 20; i++) {
			this.tier.insert(session("s" + i, 1), true, null);
		}
		this.jdbc.update("update resilient_session set attributes = ? where session_id < 's14'", new byte[] { 1 });
		assertThat(this.tier.pending("", 3)).extracting(PendingRow::id).containsExactly("s14", "s15", "s16");
		assertThat(this.tier.pending("", 6)).hasSize(6);
		assertThat(this.tier.pending("", 7)).hasSize(6);
	}

	@Test
	void findByPrincipalName_findsTheActiveSessionsThatHaveNotExpired() {
		for (String id : List.of("one", "two", "ended", "stale")) {
			this.tier.insert(new SessionRecord(id, 1, NOW, NOW, HALF_AN_HOUR, "alice", Map.of()), false, null);
		}
		this.tier.insert(new SessionRecord("other", 1, NOW, NOW, HALF_AN_HOUR, "bob", Map.of()), false, null);
		this.tier.end("ended", false, HALF_AN_HOUR);
		this.jdbc.update("update resilient_session set last_accessed_at = 0 where session_id = 'stale'");
		assertThat(this.tier.findByPrincipalName("alice")).extracting(SessionRecord::id)
			.containsExactlyInAnyOrder("one", "two");
		assertThat(this.tier.findByPrincipalName("nobody")).isEmpty();
	}

	@Test
	void findByPrincipalName_ofANameTooLongForTheColumn_findsItsSessionsAndNoOthers() {
		String prefix = "x".repeat(512);
		for (String name : List.of(prefix, prefix + "a", prefix + "b")) {
			this.tier.insert(new SessionRecord("of" + name.length() + name.charAt(name.length() - 1), 1, NOW, NOW,
					HALF_AN_HOUR, name, Map.of()), false, null);
		}
		assertThat(this.tier.findByPrincipalName(prefix)).extracting(SessionRecord::id).containsExactly("of512x");
		assertThat(this.tier.findByPrincipalName(prefix + "a")).extracting(SessionRecord::id).containsExactly("of513a");
	}

	@Test
	void writes_insideAnApplicationTransactionThatRollsBack_stayCommitted_andHoldNoConnection() {
		assertWritesStay(this.tier);
	}

	@Test
	void writes_throughATransactionAwareDataSource_stayCommitted() {
		try (DurableTier aware = new DurableTier(new TransactionAwareDataSourceProxy(this.pool),
				settings(this.platform), Clock.fixed(NOW, ZoneOffset.UTC), SessionStoreListener.NO_OP)) {
			assertWritesStay(aware);
		}
	}

	private void assertWritesStay(DurableTier tier) {
		this.jdbc.execute("create table orders (id int)");
		new TransactionTemplate(new DataSourceTransactionManager(this.pool)).executeWithoutResult((status) -> {
			this.jdbc.update("insert into orders values (1)");
			tier.insert(session("s", 1), false, null);
			tier.update(session("s", 2), 1, null, false, null);
			tier.insert(session("old", 1), false, null);
			tier.changeId("old", 1, session("new", 2), false, null);
			tier.markPending("s");
			tier.touch(List.of(new Touch("s", NOW.plusSeconds(1))));
			assertThat(tier.findByPrincipalName("nobody")).isEmpty();
			assertThat(this.pool.getHikariPoolMXBean().getActiveConnections()).isEqualTo(1);
			status.setRollbackOnly();
		});
		assertThat(this.jdbc.queryForObject("select count(*) from orders", Long.class)).isZero();
		assertThat(hit("s").version()).isEqualTo(2);
		assertThat(load("old")).isInstanceOf(Lookup.Ended.class);
		assertThat(hit("new").version()).isEqualTo(2);
		assertThat(this.tier.pending("", 10)).hasSize(1);
	}

	@Test
	void writes_onAPoolWithoutAutocommit_areCommitted_andThePoolKeepsItsSetting() throws SQLException {
		try (HikariDataSource manual = copyOfPool()) {
			manual.setAutoCommit(false);
			try (DurableTier onManual = new DurableTier(manual, settings(this.platform),
					Clock.fixed(NOW, ZoneOffset.UTC), SessionStoreListener.NO_OP)) {
				onManual.insert(session("s", 1), false, null);
				onManual.update(session("s", 2), 1, null, false, null);
				onManual.markPending("s");
				onManual.changeId("s", 2, session("t", 3), false, null);
			}
			assertThat(hit("t").version()).isEqualTo(3);
			assertThat(this.tier.pending("", 10)).hasSize(1);
			try (Connection connection = manual.getConnection()) {
				assertThat(connection.getAutoCommit()).isFalse();
			}
		}
	}

	@Test
	void initializeSchema_onManyNodesAtOnce_succeedsOnEach() throws Exception {
		for (int round = 0; round < 10; round++) {
			for (String table : List.of("resilient_session", "resilient_session_schema", "resilient_session_lease")) {
				this.jdbc.execute("drop table " + table);
			}
			CyclicBarrier start = new CyclicBarrier(5);
			inParallel(Collections.nCopies(5, () -> {
				start.await();
				this.tier.initializeSchema();
				return true;
			}));
			this.tier.probe();
		}
	}

	@Test
	void checkSchema_ofTablesOfThisVersion_orOfNone_passes() {
		this.tier.checkSchema();
		this.jdbc.execute("drop table resilient_session");
		this.jdbc.execute("drop table resilient_session_schema");
		this.tier.checkSchema();
	}

	@ParameterizedTest
	@ValueSource(ints = { 0, 1, 3 })
	void schema_ofAnotherVersion_isRefusedAndNotWrittenTo(int version) {
		this.jdbc.update("update resilient_session_schema set version = ?", version);
		this.jdbc.execute("drop table resilient_session");
		for (ThrowingCallable call : List.<ThrowingCallable>of(this.tier::checkSchema, this.tier::initializeSchema)) {
			assertThatExceptionOfType(SchemaVersionException.class).isThrownBy(call)
				.withMessageContaining("version " + version)
				.withMessageContaining("needs version 2")
				.satisfies((ex) -> assertThat(ex.action()).contains("version of the library"));
		}
		assertThatExceptionOfType(RuntimeException.class).isThrownBy(this.tier::probe);
		assertThat(this.jdbc.queryForList("select version from resilient_session_schema", Integer.class))
			.containsExactly(version);
	}

	@Test
	void schema_withoutAVersion_isRefusedAsOlder_andIsBroughtUpAsTheActionSays() {
		this.jdbc.execute("drop table resilient_session_schema");
		this.jdbc.execute("alter table resilient_session drop column persisted_writes");
		this.jdbc.execute("alter table resilient_session drop column moved_to");
		assertThatExceptionOfType(SchemaVersionException.class).isThrownBy(this.tier::initializeSchema)
			.withMessageContaining("older than 1")
			.satisfies((ex) -> {
				assertThatExceptionOfType(DataAccessException.class)
					.isThrownBy(() -> this.jdbc.execute("select * from resilient_session_schema"));
				carryOut(ex.action());
			});
		new SchemaScript(this.platform).run(this.pool);
		this.tier.checkSchema();
		assertThat(this.tier.insert(session("s", 1), false, "a")).isTrue();
	}

	@Test
	void schema_ofVersion1_isBroughtToTheNextAsTheActionSays() {
		this.tier.insert(session("s", 1), false, null);
		this.jdbc.execute("alter table resilient_session drop column moved_to");
		this.jdbc.update("update resilient_session_schema set version = 1");
		assertThatExceptionOfType(SchemaVersionException.class).isThrownBy(this.tier::checkSchema)
			.satisfies((ex) -> carryOut(ex.action()));
		this.tier.checkSchema();
		assertThat(this.tier.changeId("s", 1, session("t", 2), false, null)).isPresent();
		assertThat(this.tier.loadForMerge("s")).isEqualTo(new Lookup.Ended("t"));
	}

	/**
	 * Execute the statements that an action quotes.
	 */
	private void carryOut(String action) {
		Pattern.compile("'([^']*)'")
			.matcher(action)
			.results()
			.forEach((statement) -> this.jdbc.execute(statement.group(1)));
	}

	@Test
	void schema_ofTwoVersionsAtOnce_isRefused() {
		this.jdbc.update("insert into resilient_session_schema (version) values (3)");
		assertThatExceptionOfType(SchemaVersionException.class).isThrownBy(this.tier::checkSchema)
			.withMessageContaining("[2, 3]");
	}

	@Test
	void probe_withoutTheTable_fails() {
		this.tier.probe();
		this.jdbc.execute("drop table resilient_session");
		assertThatExceptionOfType(RuntimeException.class).isThrownBy(this.tier::probe);
	}

	final HikariDataSource copyOfPool() {
		HikariDataSource copy = new HikariDataSource();
		this.pool.copyStateTo(copy);
		return copy;
	}

	final DurableTier tier() {
		return this.tier;
	}

	private DurableTier tierAt(Instant now) {
		return new DurableTier(this.pool, settings(this.platform), Clock.fixed(now, ZoneOffset.UTC),
				new SessionStoreListener() {

					@Override
					public void onQuarantined() {
						DurableTierTests.this.quarantined.incrementAndGet();
					}

				});
	}

	private Callable<List<String>> touching(List<Touch> touches) {
		return () -> {
			List<String> moved = new ArrayList<>();
			for (int i = 0; i < 20; i++) {
				moved.addAll(this.tier.touch(touches));
			}
			return moved;
		};
	}

	private static <T> List<T> inParallel(List<? extends Callable<T>> tasks) throws Exception {
		ExecutorService executor = Executors.newFixedThreadPool(tasks.size());
		try {
			List<T> results = new ArrayList<>();
			for (Future<T> future : executor.invokeAll(tasks)) {
				results.add(future.get());
			}
			return results;
		}
		finally {
			executor.shutdownNow();
		}
	}

	private Lookup load(String id) {
		return this.tier.load(List.of(id)).get(id);
	}

	private Lookup loadAt(Instant now, String id) {
		try (DurableTier later = tierAt(now)) {
			return later.load(List.of(id)).get(id);
		}
	}

	private SessionRecord hit(String id) {
		Lookup lookup = load(id);
		assertThat(lookup).isInstanceOf(Lookup.Hit.class);
		return ((Lookup.Hit) lookup).session();
	}

	private Instant expiresAt(String id) {
		return Instant.ofEpochMilli(this.jdbc
			.queryForObject("select expires_at from resilient_session where session_id = ?", Long.class, id));
	}

	static DurableSettings settings(Platform platform) {
		return new DurableSettings(Duration.ofSeconds(5), GRACE, platform);
	}

	static SessionRecord session(String id, long version) {
		return new SessionRecord(id, version, NOW, NOW, HALF_AN_HOUR, null, Map.of("a", new byte[] { 1, 2, 3 }));
	}

}

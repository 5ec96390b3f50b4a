package io.github.resilientsession.reconcile;

import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Consumer;
import java.util.stream.IntStream;

import io.github.resilientsession.circuit.CircuitSettings;
import io.github.resilientsession.circuit.TierCircuit;
import io.github.resilientsession.durable.DurableSettings;
import io.github.resilientsession.durable.DurableTier;
import io.github.resilientsession.durable.Platform;
import io.github.resilientsession.durable.Touch;
import io.github.resilientsession.record.ClusterClock;
import io.github.resilientsession.record.Lookup;
import io.github.resilientsession.record.SessionRecord;
import io.github.resilientsession.record.SessionStoreListener;
import org.h2.jdbcx.JdbcConnectionPool;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

/**
 * Tests for {@link Expiry}. What Redis says is made up here; what the database says is
 * not.
 */
class ExpiryTests {

	private static final Instant START = Instant.parse("2026-03-01T12:00:30Z");

	private static final Instant LATER = START.plus(Duration.ofHours(1));

	private static final Duration HALF_AN_HOUR = Duration.ofMinutes(30);

	private final JdbcConnectionPool pool = JdbcConnectionPool
		.create("jdbc:h2:mem:" + UUID.randomUUID() + ";DB_CLOSE_DELAY=-1", "sa", "");

	private final DurableTier durable = new DurableTier(this.pool,
			new DurableSettings(Duration.ofSeconds(5), Duration.ofSeconds(30), Platform.H2),
			Clock.fixed(LATER, ZoneOffset.UTC), SessionStoreListener.NO_OP);

	private final TierCircuit circuit = new TierCircuit("durable",
			new CircuitSettings(20, 5, 50, Duration.ofMillis(100)), (failure) -> false, SessionStoreListener.NO_OP);

	private final Map<String, Duration> living = new ConcurrentHashMap<>();

	private final ConcurrentLinkedQueue<SessionRecord> expired = new ConcurrentLinkedQueue<>();

	private boolean allowed = true;

	@BeforeEach
	void createSchema() {
		this.durable.initializeSchema();
	}

	@AfterEach
	void close() {
		this.durable.close();
		this.pool.dispose();
	}

	@Test
	void run_endsWhatHasExpired_andTellsOfItWithItsAttributes() {
		insert("s", START);
		insert("alive", LATER.minusSeconds(60));
		expiry("node").run();
		assertThat(this.expired).singleElement().satisfies((session) -> {
			assertThat(session.id()).isEqualTo("s");
			assertThat(session.attributes()).containsOnlyKeys("a");
		});
		assertThat(find("s")).isInstanceOf(Lookup.Ended.class);
		assertThat(find("alive")).isInstanceOf(Lookup.Hit.class);
		expiry("node").run();
		expiry("another").run();
		assertThat(this.expired).hasSize(1);
	}

	@Test
	void run_goesOnUntilNothingIsLeft() {
		for (int i = 0; i < 2_500; i++) {
			insert("s" + i, START);
		}
		expiry("node").run();
		assertThat(this.expired).hasSize(2_500);
	}

	@Test
	void run_whereRedisHasALivingCopy_movesTheLastAccessForwardInstead() {
		insert("s", START);
		this.living.put("s", Duration.ofMinutes(10));
		expiry("node").run();
		assertThat(this.expired).isEmpty();
		assertThat(find("s")).isInstanceOfSatisfying(Lookup.Hit.class,
				(hit) -> assertThat(hit.session().lastAccessedTime()).isEqualTo(LATER.minus(Duration.ofMinutes(20))));
	}

	@Test
	void run_whereACopyLivesLongerThanTheInterval_neverNotesAnAccessInTheFuture() {
		insert("s", START);
		this.living.put("s", Duration.ofHours(10));
		expiry("node").run();
		assertThat(find("s")).isInstanceOfSatisfying(Lookup.Hit.class,
				(hit) -> assertThat(hit.session().lastAccessedTime()).isEqualTo(LATER));
	}

	@Test
	void run_whileItIsNotAllowed_endsNothing() {
		insert("s", START);
		this.allowed = false;
		expiry("node").run();
		assertThat(this.expired).isEmpty();
		assertThat(find("s")).isInstanceOf(Lookup.Expired.class);
	}

	@Test
	void run_whenRedisCannotSay_endsNothing_andGivesTheLeaseBack() {
		insert("s", START);
		Expiry blind = new Expiry(this.durable, this.circuit, (ids) -> {
			throw new IllegalStateException("Redis is gone");
		}, () -> true, this.expired::add, "blind", Clock.fixed(LATER, ZoneOffset.UTC));
		assertThatIllegalStateException().isThrownBy(blind::run);
		assertThat(find("s")).isInstanceOf(Lookup.Expired.class);
		expiry("another").run();
		assertThat(this.expired).hasSize(1);
	}

	@Test
	void run_whileAnotherNodeHasTheLease_doesNothing() {
		insert("s", START);
		this.durable.acquireLease(Expiry.LEASE, "another", Duration.ofHours(1));
		expiry("node").run();
		assertThat(this.expired).isEmpty();
	}

	@Test
	void run_ofASessionThatIsTouchedMeanwhile_leavesItAlone() {
		insert("s", START);
		new Expiry(this.durable, this.circuit, (ids) -> {
			this.durable.touch(List.of(new Touch("s", LATER)));
			return Map.of();
		}, () -> true, this.expired::add, "node", Clock.fixed(LATER, ZoneOffset.UTC)).run();
		assertThat(this.expired).isEmpty();
		assertThat(find("s")).isInstanceOf(Lookup.Hit.class);
	}

	@Test
	void run_withAListenerThatThrows_goesOn() {
		insert("one", START);
		insert("two", START);
		expiry("node", (session) -> {
			this.expired.add(session);
			throw new IllegalStateException("A listener failed");
		}).run();
		assertThat(this.expired).hasSize(2);
	}

	@Test
	void run_onManyNodesAtOnce_tellsOfEachSessionOnce() throws Exception {
		List<String> ids = IntStream.range(0, 250).mapToObj((i) -> "s" + i).toList();
		ids.forEach((id) -> insert(id, START));
		ExecutorService executor = Executors.newFixedThreadPool(3);
		try {
			CyclicBarrier start = new CyclicBarrier(3);
			List<Future<?>> nodes = IntStream.range(0, 3).<Future<?>>mapToObj((i) -> executor.submit(() -> {
				start.await();
				expiry("node" + i).run();
				return null;
			})).toList();
			for (Future<?> node : nodes) {
				node.get();
			}
		}
		finally {
			executor.shutdownNow();
		}
		assertThat(this.expired).extracting(SessionRecord::id).containsExactlyInAnyOrderElementsOf(ids);
	}

	@Test
	void run_onANodeWhoseClockIsOff_goesByTheDatabasesClock() {
		Clock ahead = Clock.offset(Clock.systemUTC(), Duration.ofMinutes(10));
		Clock behind = Clock.offset(Clock.systemUTC(), Duration.ofMinutes(-10));
		insert("alive", Instant.now().minus(Duration.ofMinutes(25)));
		runOnNodeWith(ahead);
		assertThat(this.expired).isEmpty();
		insert("expired", Instant.now().minus(Duration.ofMinutes(35)));
		runOnNodeWith(behind);
		assertThat(this.expired).extracting(SessionRecord::id).containsExactly("expired");
	}

	private void runOnNodeWith(Clock clock) {
		try (DurableTier tier = new DurableTier(this.pool,
				new DurableSettings(Duration.ofSeconds(5), Duration.ofSeconds(30), Platform.H2),
				new ClusterClock(clock), SessionStoreListener.NO_OP)) {
			tier.probe();
			new Expiry(tier, this.circuit, (ids) -> this.living, () -> true, this.expired::add, "node", clock).run();
		}
	}

	@Test
	void run_deletesTheRowsOfSessionsThatEndedLongAgo() {
		insert("s", START);
		Clock clock = Clock.fixed(LATER, ZoneOffset.UTC);
		expiry("node", this.expired::add, clock).run();
		expiry("node", this.expired::add, Clock.offset(clock, Duration.ofMinutes(9))).run();
		assertThat(find("s")).isInstanceOf(Lookup.Ended.class);
		expiry("node", this.expired::add, Clock.offset(clock, Duration.ofMinutes(12))).run();
		assertThat(find("s")).isInstanceOf(Lookup.Miss.class);
	}

	private Expiry expiry(String node) {
		return expiry(node, this.expired::add);
	}

	private Expiry expiry(String node, Consumer<SessionRecord> listener) {
		return expiry(node, listener, Clock.fixed(LATER, ZoneOffset.UTC));
	}

	private Expiry expiry(String node, Consumer<SessionRecord> listener, Clock clock) {
		return new Expiry(this.durable, this.circuit, (ids) -> this.living, () -> this.allowed, listener, node, clock);
	}

	private void insert(String id, Instant accessed) {
		this.durable.insert(
				new SessionRecord(id, 1, accessed, accessed, HALF_AN_HOUR, null, Map.of("a", new byte[] { 1, 2, 3 })),
				false, null);
	}

	private Lookup find(String id) {
		return this.durable.load(List.of(id)).getOrDefault(id, new Lookup.Miss());
	}

}

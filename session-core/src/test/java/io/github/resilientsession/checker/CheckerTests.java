package io.github.resilientsession.checker;

import java.time.Duration;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import java.util.Set;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.UnaryOperator;
import java.util.stream.Collectors;
import java.util.stream.Stream;

import io.github.resilientsession.SessionNode;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * The checker notices the lack of each protection, by the right kind of violation.
 */
class CheckerTests {

	@ParameterizedTest
	@MethodSource
	void nodesWithAllProtections_haveNoViolation(List<Incident> incidents, int thinkMillis, int endsPercent)
			throws Exception {
		assertThat(run(UnaryOperator.identity(), incidents, thinkMillis, endsPercent)).isEmpty();
	}

	/**
	 * All that nodes without a protection are put under below, and a fault that the other
	 * one prevents: it has to be injected all the same.
	 */
	static Stream<Arguments> nodesWithAllProtections_haveNoViolation() {
		return Stream.of(
				Arguments.of(all(cutOffFromRedis(),
						List.of(incident(FaultKind.REDIS_HUNG, FaultKind.REDIS_REPLY_CUT, 1_500))), 150, 10),
				Arguments.of(all(cutOffFromRedisAndCrashed(), databaseKilled()), 2_000, 30),
				Arguments.of(all(flushesAndSlowNode(), oldSnapshot()), 150, 50));
	}

	@Test
	void nodesWithoutVersionCheck_loseWrites() throws Exception {
		WithoutProtection variant = WithoutProtection.versionCheck();
		assertThat(run(variant, cutOffFromRedis(), 150, 10)).contains(ViolationKind.LOST_WRITE);
		assertThat(variant.changes()).isPositive();
	}

	@Test
	void nodesWithoutPendingMark_readOldStatesAndReviveSessions() throws Exception {
		WithoutProtection variant = WithoutProtection.pendingMark();
		// Few writes, since the next one of a node that sees Redis repairs the copy. And
		// the node must not live to tell by itself.
		assertThat(run(variant, cutOffFromRedisAndCrashed(), 2_000, 20)).contains(ViolationKind.RESURRECTION)
			.containsAnyOf(ViolationKind.ROLLBACK, ViolationKind.LOST_WRITE);
		assertThat(variant.changes()).isPositive();
	}

	@Test
	void nodesWithoutTombstones_reviveSessions() throws Exception {
		WithoutProtection variant = WithoutProtection.tombstone();
		assertThat(run(variant, flushesAndSlowNode(), 150, 50)).contains(ViolationKind.RESURRECTION);
		assertThat(variant.changes()).isPositive();
	}

	@Test
	void nodesWithoutSuspicion_believeOldCopies() throws Exception {
		WithoutProtection variant = WithoutProtection.suspicion();
		assertThat(run(variant, oldSnapshot(), 150, 50)).contains(ViolationKind.RESURRECTION);
		assertThat(variant.changes()).isPositive();
	}

	@Test
	void nodesWithoutUnpersistedMark_loseSessionsAndWrites() throws Exception {
		WithoutProtection variant = WithoutProtection.unpersistedMark();
		// Few calls, since the next write would take along what the copy has. A write
		// that
		// nobody reads before the end is seen as a difference between the stores.
		assertThat(run(variant, databaseKilled(), 3_000, 40)).contains(ViolationKind.FALSE_LOGOUT)
			.containsAnyOf(ViolationKind.LOST_WRITE, ViolationKind.NOT_CONVERGED);
		assertThat(variant.changes()).isPositive();
	}

	private static List<Incident> all(List<Incident> some, List<Incident> others) {
		return Stream.concat(some.stream(), others.stream()).toList();
	}

	private static List<Incident> databaseKilled() {
		return List.of(incident(FaultKind.DATABASE_KILLED, FaultKind.REDIS_SCRIPTS_FLUSHED, 4_000));
	}

	private static List<Incident> oldSnapshot() {
		return List.of(incident(FaultKind.REDIS_RESTARTED_FROM_SNAPSHOT, FaultKind.NETWORK_SLOW, 4_000));
	}

	/**
	 * A node that writes while it is cut off leaves old copies behind.
	 */
	private static List<Incident> cutOffFromRedis() {
		return List.of(incident(FaultKind.NODE_CUT_OFF_FROM_REDIS, FaultKind.REDIS_SCRIPTS_FLUSHED, 6_000));
	}

	private static List<Incident> cutOffFromRedisAndCrashed() {
		return List.of(new Incident(1, Duration.ofMillis(100), Duration.ofSeconds(6), FaultKind.NODE_CUT_OFF_FROM_REDIS,
				0, Duration.ofMillis(5_500), FaultKind.NODE_CRASHED, 0));
	}

	/**
	 * Copies are missed, and some of the rebuilds arrive after the session's end.
	 */
	private static List<Incident> flushesAndSlowNode() {
		return Collections.nCopies(12, incident(FaultKind.NETWORK_SLOW, FaultKind.REDIS_FLUSHED, 700));
	}

	private static Incident incident(FaultKind first, FaultKind second, int millis) {
		return new Incident(1, Duration.ofMillis(100), Duration.ofMillis(millis), first, 0, Duration.ofMillis(100),
				second, 1);
	}

	private static Set<ViolationKind> run(UnaryOperator<SessionNode.Options> variant, List<Incident> incidents,
			int thinkMillis, int endsPercent) throws Exception {
		CheckSettings settings = CheckSettings.usual(1, Duration.ofMinutes(1))
			.without(variant)
			.busy(Duration.ofMillis(thinkMillis), endsPercent);
		Iterator<Incident> all = incidents.iterator();
		AtomicReference<Check> check = new AtomicReference<>();
		// It may take several incidents until a session is resurrected, and one is
		// enough.
		check.set(new Check(settings,
				() -> (all.hasNext() && !isNoticed(check.get(), ViolationKind.RESURRECTION)) ? all.next() : null,
				System.out));
		List<Violation> violations;
		try (QuietLog quiet = new QuietLog()) {
			violations = check.get().run();
		}
		assertThat(violations.isEmpty() && all.hasNext()).as("Time was up before all incidents had happened").isFalse();
		System.out.println("first of " + violations.size() + " violations:");
		violations.stream().limit(2).forEach(System.out::println);
		return violations.stream().map(Violation::kind).collect(Collectors.toSet());
	}

	private static boolean isNoticed(Check check, ViolationKind kind) {
		return check.violations().stream().anyMatch((violation) -> violation.kind() == kind);
	}

}

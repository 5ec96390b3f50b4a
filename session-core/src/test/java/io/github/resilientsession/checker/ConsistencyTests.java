package io.github.resilientsession.checker;

import java.time.Duration;
import java.util.List;

import org.junit.jupiter.api.Test;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * The short run of the consistency check: two minutes, or what the system properties
 * {@code check.duration} (seconds) and {@code check.seed} ask for.
 */
class ConsistencyTests {

	@Test
	void nodesUnderFaults_neitherLoseNorReviveNorDelayAnything() throws Exception {
		Duration duration = Duration.ofSeconds(Long.getLong("check.duration", 120));
		Check check = ConsistencyCheck.check(Long.getLong("check.seed", 20261121), duration);
		List<Violation> violations;
		try (QuietLog quiet = new QuietLog()) {
			violations = check.run();
		}
		check.report();
		assertThat(violations).isEmpty();
		assertThat(check.figures().of("failures of the checker itself")).isZero();
		assertThat(FaultKind.values()).filteredOn((kind) -> check.figures().of(FaultInjector.DEALT + kind) > 0)
			.isNotEmpty()
			.allMatch((kind) -> check.figures().of(FaultInjector.INJECTED + kind) > 0);
		assertThat(check.figures().of(TtlScan.SCANS)).isPositive();
		assertThat(check.figures().of("acknowledged: write")).isGreaterThan(50 * duration.toSeconds());
	}

}

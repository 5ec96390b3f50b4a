package io.github.resilientsession.checker;

import java.time.Duration;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * The short run of the consistency check: two minutes, half of them with clocks that
 * differ.
 */
class ConsistencyTests {

	@ParameterizedTest
	@ValueSource(longs = { 20261121, 20261122 })
	void nodesUnderFaults_neitherLoseNorReviveNorDelayAnything(long seed) throws Exception {
		Duration duration = Duration.ofMinutes(1);
		Check check = ConsistencyCheck.check(seed, duration);
		try (QuietLog quiet = new QuietLog()) {
			check.run();
		}
		assertThat(check.report()).isEmpty();
		assertThat(check.figures().of("acknowledged: write")).isGreaterThan(50 * duration.toSeconds());
	}

}

package io.github.resilientsession.circuit;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

import io.github.resilientsession.record.SessionStoreListener;
import org.junit.jupiter.api.Test;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

/**
 * Tests for a circuit that has yet to be probed.
 */
class TierCircuitTests {

	private final List<Boolean> told = new ArrayList<>();

	private final TierCircuit circuit = new TierCircuit("durable",
			new CircuitSettings(20, 5, 50, Duration.ofMillis(100)), (failure) -> false, new SessionStoreListener() {

				@Override
				public void onBreaker(String tier, boolean open) {
					TierCircuitTests.this.told.add(open);
				}

			});

	@Test
	void openUntilProbed_turnsEveryCallAway_andIsNoFailure() {
		this.circuit.openUntilProbed();
		assertThatExceptionOfType(TierUnavailableException.class).isThrownBy(() -> this.circuit.call(() -> true));
		assertThatExceptionOfType(TierUnavailableException.class).isThrownBy(() -> this.circuit.write(() -> {
			throw new AssertionError("Must not be called");
		}));
		assertThat(this.circuit.close()).isTrue();
		assertThat(this.circuit.<Boolean>call(() -> true)).isTrue();
		assertThat(this.told).isEmpty();
	}

	@Test
	void open_beforeTheFirstProbe_isToldOnce_andSoIsTheClose() {
		this.circuit.openUntilProbed();
		this.circuit.open(new IllegalStateException("down"));
		this.circuit.open(new IllegalStateException("still down"));
		assertThat(this.told).containsExactly(true);
		this.circuit.close();
		assertThat(this.told).containsExactly(true, false);
		this.circuit.open(new IllegalStateException("down again"));
		assertThat(this.told).containsExactly(true, false, true);
	}

}

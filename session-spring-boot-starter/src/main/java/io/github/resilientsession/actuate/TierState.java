package io.github.resilientsession.actuate;

import java.time.Clock;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Locale;

import io.github.resilientsession.ResilientSessions;
import io.github.resilientsession.circuit.TierCircuit;

/**
 * How a tier is.
 *
 * @param state {@code up}; {@code checking} while Redis answers but may have older data,
 * so that each copy is compared with its row; {@code cut off} while it does not answer
 * @param breaker the state of its circuit breaker, as Resilience4j names it
 * @param since when the breaker changed last
 */
public record TierState(String state, String breaker, Instant since) {

	static final String UP = "up";

	static TierState redis(ResilientSessions sessions) {
		return of(sessions.redisCircuit(), sessions.trustsRedis());
	}

	static TierState durable(ResilientSessions sessions) {
		return of(sessions.durableCircuit(), true);
	}

	private static TierState of(TierCircuit circuit, boolean trusted) {
		String state = circuit.isOpen() ? "cut off" : (trusted ? UP : "checking");
		Instant since = Clock.systemUTC().instant().minus(circuit.unchangedFor()).truncatedTo(ChronoUnit.SECONDS);
		return new TierState(state, circuit.breaker().getState().name().toLowerCase(Locale.ROOT), since);
	}

	boolean isUp() {
		return this.state.equals(UP);
	}

}

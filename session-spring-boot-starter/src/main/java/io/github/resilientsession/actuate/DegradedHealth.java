package io.github.resilientsession.actuate;

import java.time.Duration;

import io.github.resilientsession.ResilientSessions;
import io.github.resilientsession.circuit.TierCircuit;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Schedulers;

import org.springframework.boot.health.contributor.Health;
import org.springframework.boot.health.contributor.HealthIndicator;
import org.springframework.boot.health.contributor.ReactiveHealthIndicator;
import org.springframework.boot.health.contributor.Status;

/**
 * Takes the edge off an indicator of a store that sessions outlive: instead of down it is
 * degraded. A store that hangs does not hold the answer up: it is given a second, and
 * while its circuit is open it is not asked at all.
 */
public final class DegradedHealth {

	private static final Duration PATIENCE = Duration.ofSeconds(1);

	private DegradedHealth() {
	}

	/**
	 * Wrap an indicator.
	 * @param indicator asks the store
	 * @param circuit around the same store
	 * @return an indicator that is never down
	 */
	public static HealthIndicator of(HealthIndicator indicator, TierCircuit circuit) {
		Mono<Health> asked = Mono.fromCallable(indicator::health).subscribeOn(Schedulers.boundedElastic());
		return () -> degraded(asked, circuit).block();
	}

	/**
	 * Wrap a reactive indicator.
	 * @param indicator asks the store
	 * @param circuit around the same store
	 * @return an indicator that is never down
	 */
	public static ReactiveHealthIndicator of(ReactiveHealthIndicator indicator, TierCircuit circuit) {
		return () -> degraded(Mono.defer(indicator::health), circuit);
	}

	/**
	 * Wrap the indicator of a Redis that may not let its user ask {@code INFO}, on which
	 * the indicator depends.
	 * @param indicator asks Redis
	 * @param sessions know whether it is allowed
	 * @return an indicator that is never down
	 */
	public static HealthIndicator ofRedis(HealthIndicator indicator, ResilientSessions sessions) {
		HealthIndicator wrapped = of(indicator, sessions.redisCircuit());
		return () -> isUnasked(sessions) ? unasked() : wrapped.health();
	}

	/**
	 * Wrap a reactive indicator of a Redis that may not let its user ask {@code INFO}.
	 * @param indicator asks Redis
	 * @param sessions know whether it is allowed
	 * @return an indicator that is never down
	 */
	public static ReactiveHealthIndicator ofRedis(ReactiveHealthIndicator indicator, ResilientSessions sessions) {
		ReactiveHealthIndicator wrapped = of(indicator, sessions.redisCircuit());
		return () -> Mono.defer(() -> isUnasked(sessions) ? Mono.just(unasked()) : wrapped.health());
	}

	private static boolean isUnasked(ResilientSessions sessions) {
		return !sessions.allowsInfo() && !sessions.redisCircuit().isOpen();
	}

	private static Health unasked() {
		return Health.up().withDetail("version", "unknown: Redis does not let this user ask INFO").build();
	}

	private static Mono<Health> degraded(Mono<Health> asked, TierCircuit circuit) {
		return Mono
			.defer(() -> circuit.isOpen() ? Mono.just(degraded("It does not answer, and is not asked until it does"))
					: asked.map(DegradedHealth::degraded)
						.timeout(PATIENCE, Mono.fromSupplier(() -> degraded("No answer within " + PATIENCE))));
	}

	private static Health degraded(String reason) {
		return Health.status(SessionStoresHealth.DEGRADED)
			.withDetail("reason", reason + "; sessions do without it")
			.build();
	}

	private static Health degraded(Health health) {
		if (!isDown(health.getStatus())) {
			return health;
		}
		return Health.status(SessionStoresHealth.DEGRADED).withDetails(health.getDetails()).build();
	}

	private static boolean isDown(Status status) {
		return status.equals(Status.DOWN) || status.equals(Status.OUT_OF_SERVICE);
	}

}

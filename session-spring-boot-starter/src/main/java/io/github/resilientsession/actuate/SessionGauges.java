package io.github.resilientsession.actuate;

import java.time.Duration;
import java.time.Instant;
import java.util.Locale;
import java.util.Optional;
import java.util.function.ToDoubleFunction;

import io.github.resilience4j.micrometer.tagged.TaggedBulkheadMetricsPublisher;
import io.github.resilience4j.micrometer.tagged.TaggedCircuitBreakerMetricsPublisher;
import io.github.resilientsession.ResilientSessions;
import io.github.resilientsession.doctor.Check;
import io.github.resilientsession.doctor.Severity;
import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.TimeGauge;
import io.micrometer.core.instrument.binder.MeterBinder;

import static java.util.concurrent.TimeUnit.SECONDS;

/**
 * Shows how the stores are, what waits, and what the doctor sees of Redis. Asks no store.
 */
public final class SessionGauges implements MeterBinder {

	private final ResilientSessions sessions;

	/**
	 * Create the gauges.
	 * @param sessions the stores
	 */
	public SessionGauges(ResilientSessions sessions) {
		this.sessions = sessions;
	}

	@Override
	public void bindTo(MeterRegistry registry) {
		TaggedCircuitBreakerMetricsPublisher breakers = new TaggedCircuitBreakerMetricsPublisher(registry);
		breakers.publishMetrics(this.sessions.redisCircuit().breaker());
		breakers.publishMetrics(this.sessions.durableCircuit().breaker());
		new TaggedBulkheadMetricsPublisher(registry).publishMetrics(this.sessions.loader().bulkhead());
		bindState(registry);
		bindWork(registry);
		bindDoctor(registry);
		bindRedis(registry);
	}

	private void bindState(MeterRegistry registry) {
		Gauge.builder(name("tier.available"), this.sessions, (all) -> all.redisCircuit().isOpen() ? 0 : 1)
			.description("1 while the tier answers, 0 while it is cut off")
			.tag("tier", "redis")
			.register(registry);
		Gauge.builder(name("tier.available"), this.sessions, (all) -> all.durableCircuit().isOpen() ? 0 : 1)
			.description("1 while the tier answers, 0 while it is cut off")
			.tag("tier", "durable")
			.register(registry);
		gauge(registry, "redis.trusted", "1 while what Redis answers is taken as it is, 0 while each copy is checked",
				(all) -> all.trustsRedis() ? 1 : 0);
	}

	private void bindWork(MeterRegistry registry) {
		gauge(registry, "writes.pending", "Committed writes that Redis has yet to be told of, in the whole cluster",
				ResilientSessions::pendingWrites);
		gauge(registry, "unpersisted", "Sessions whose writes only Redis has, as far as this node made them",
				(all) -> all.unpersisted().size());
		gauge(registry, "touches.buffered", "Last accesses that wait to be written to the database",
				ResilientSessions::touchesWaiting);
		gauge(registry, "loads.queued", "Sessions that wait to be loaded from the database",
				(all) -> all.loader().waiting());
		gauge(registry, "resync.running", "1 while this node makes Redis agree with the database",
				(all) -> all.resyncProgress().running() ? 1 : 0);
		gauge(registry, "resync.compared", "Copies that the last resync of this node has compared",
				(all) -> all.resyncProgress().compared());
		gauge(registry, "resync.repaired", "Copies that the last resync of this node has replaced or ended",
				(all) -> all.resyncProgress().repaired());
		gauge(registry, "resync.put.back", "Sessions that the last resync of this node has put back",
				(all) -> all.resyncProgress().putBack());
		gauge(registry, "ttl.audit.running", "1 while this node looks for sessions without a TTL",
				(all) -> all.ttlAuditProgress().running() ? 1 : 0);
	}

	private void bindDoctor(MeterRegistry registry) {
		TimeGauge.builder(name("doctor.age"), this.sessions, SECONDS, SessionGauges::age)
			.description("How long ago the doctor has last looked at Redis")
			.register(registry);
		for (Severity severity : Severity.values()) {
			Gauge
				.builder(name("doctor.findings"), this.sessions,
						(all) -> known(all,
								all.doctorReport()
									.findings()
									.stream()
									.filter((finding) -> finding.severity() == severity)
									.mapToDouble((finding) -> 1)
									.sum()))
				.description("What the doctor has found in Redis")
				.tag("severity", severity.name().toLowerCase(Locale.ROOT))
				.register(registry);
		}
		for (Check check : Check.values()) {
			Gauge
				.builder(name("doctor.severity"), this.sessions,
						(all) -> all.doctorReport().knows(check)
								? known(all, all.doctorReport().severity(check).map(SessionGauges::level).orElse(0))
								: Double.NaN)
				.description(
						"How bad a finding is: 0 none, 1 notice, 2 warning, 3 critical; NaN if that cannot be seen")
				.tag("check", check.id())
				.register(registry);
		}
	}

	private static int level(Severity severity) {
		return switch (severity) {
			case NOTICE -> 1;
			case WARNING -> 2;
			case CRITICAL -> 3;
		};
	}

	private void bindRedis(MeterRegistry registry) {
		Gauge.builder(name("redis.memory.used"), this.sessions, (all) -> number(all, "used_memory"))
			.description("Memory that Redis uses")
			.baseUnit("bytes")
			.register(registry);
		Gauge.builder(name("redis.memory.max"), this.sessions, (all) -> number(all, "maxmemory"))
			.description("Memory that Redis may use, 0 for any")
			.baseUnit("bytes")
			.register(registry);
		gauge(registry, "redis.memory.fragmentation", "Memory that Redis has from the system, by what it uses",
				(all) -> number(all, "mem_fragmentation_ratio"));
		TimeGauge
			.builder(name("redis.memory.full.in"), this.sessions, SECONDS,
					(all) -> seconds(all, all.doctorReport().untilFull()))
			.description("When Redis will be full, if it goes on as in the last minutes")
			.register(registry);
		TimeGauge
			.builder(name("redis.replica.lag"), this.sessions, SECONDS,
					(all) -> seconds(all, all.doctorReport().replicaLag()))
			.description("How far behind the last of the replicas is")
			.register(registry);
		gauge(registry, "redis.clients", "Clients that are connected to Redis",
				(all) -> number(all, "connected_clients"));
		FunctionCounter.builder(name("redis.evicted.keys"), this.sessions, (all) -> all.doctorReport().evicted())
			.description("Keys that Redis has evicted since this node first looked")
			.register(registry);
	}

	private void gauge(MeterRegistry registry, String name, String description,
			ToDoubleFunction<ResilientSessions> value) {
		Gauge.builder(name(name), this.sessions, value).description(description).register(registry);
	}

	private static String name(String name) {
		return SessionMeters.PREFIX + name;
	}

	/**
	 * What is known of Redis is not so any more while it is cut off.
	 */
	private static double known(ResilientSessions sessions, double value) {
		return sessions.redisCircuit().isOpen() ? Double.NaN : value;
	}

	private static double seconds(ResilientSessions sessions, Optional<Duration> duration) {
		return known(sessions, duration.map((known) -> known.toMillis() / 1_000d).orElse(Double.NaN));
	}

	private static double number(ResilientSessions sessions, String field) {
		return known(sessions, sessions.doctorReport().info().number(field).orElse(Double.NaN));
	}

	private static double age(ResilientSessions sessions) {
		Instant at = sessions.doctorReport().at();
		return at.equals(Instant.EPOCH) ? Double.NaN : Duration.between(at, Instant.now()).toMillis() / 1_000d;
	}

}

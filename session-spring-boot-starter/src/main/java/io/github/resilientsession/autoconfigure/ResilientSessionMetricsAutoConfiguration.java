package io.github.resilientsession.autoconfigure;

import java.time.Duration;

import io.github.resilientsession.ResilientSessions;
import io.github.resilientsession.actuate.SessionGauges;
import io.github.resilientsession.actuate.SessionMeters;
import io.micrometer.core.instrument.Meter;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.config.MeterFilter;
import io.micrometer.core.instrument.distribution.DistributionStatisticConfig;

import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.boot.autoconfigure.condition.ConditionalOnBean;
import org.springframework.boot.autoconfigure.condition.ConditionalOnClass;
import org.springframework.boot.autoconfigure.condition.ConditionalOnMissingBean;
import org.springframework.context.annotation.Bean;

/**
 * Auto-configuration for meters of the session stores, where the application has a
 * registry for them.
 */
@AutoConfiguration(after = ResilientSessionAutoConfiguration.class,
		afterName = "org.springframework.boot.micrometer.metrics.autoconfigure.CompositeMeterRegistryAutoConfiguration")
@ConditionalOnClass(MeterRegistry.class)
@ConditionalOnBean({ MeterRegistry.class, ResilientSessions.class })
public final class ResilientSessionMetricsAutoConfiguration {

	/**
	 * The timer of what requests wait for.
	 */
	private static final String STORE_TIMER = "resilient.session.store";

	/**
	 * Buckets, which can be added up over nodes, and percentiles for registries that have
	 * none.
	 */
	private static final DistributionStatisticConfig OURS = DistributionStatisticConfig.builder()
		.percentilesHistogram(true)
		.percentiles(0.5, 0.95, 0.99)
		.minimumExpectedValue((double) Duration.ofNanos(100_000).toNanos())
		.maximumExpectedValue((double) Duration.ofSeconds(5).toNanos())
		.build();

	@Bean
	@ConditionalOnMissingBean
	SessionMeters resilientSessionMeters(MeterRegistry registry) {
		return new SessionMeters(registry);
	}

	@Bean
	@ConditionalOnMissingBean
	SessionGauges resilientSessionGauges(ResilientSessions sessions) {
		return new SessionGauges(sessions);
	}

	/**
	 * Where {@code management.metrics.distribution} says nothing else.
	 */
	@Bean
	static MeterFilter resilientSessionStoreHistogram() {
		return new MeterFilter() {

			@Override
			public DistributionStatisticConfig configure(Meter.Id id, DistributionStatisticConfig config) {
				return id.getName().equals(STORE_TIMER) ? config.merge(OURS) : config;
			}

		};
	}

}

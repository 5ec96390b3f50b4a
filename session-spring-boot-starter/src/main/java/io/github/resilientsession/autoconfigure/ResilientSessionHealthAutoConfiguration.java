package io.github.resilientsession.autoconfigure;

import java.util.List;

import io.github.resilientsession.ResilientSessions;
import io.github.resilientsession.actuate.DegradedHealth;
import io.github.resilientsession.actuate.SessionStoresHealth;
import io.github.resilientsession.circuit.TierCircuit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

import org.springframework.beans.factory.ObjectProvider;
import org.springframework.beans.factory.config.BeanPostProcessor;
import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.boot.autoconfigure.condition.ConditionalOnBean;
import org.springframework.boot.autoconfigure.condition.ConditionalOnBooleanProperty;
import org.springframework.boot.autoconfigure.condition.ConditionalOnClass;
import org.springframework.boot.autoconfigure.condition.ConditionalOnMissingBean;
import org.springframework.boot.context.properties.bind.Bindable;
import org.springframework.boot.context.properties.bind.Binder;
import org.springframework.boot.health.autoconfigure.contributor.ConditionalOnEnabledHealthIndicator;
import org.springframework.boot.health.contributor.CompositeHealthContributor;
import org.springframework.boot.health.contributor.HealthContributor;
import org.springframework.boot.health.contributor.HealthIndicator;
import org.springframework.boot.health.contributor.ReactiveHealthIndicator;
import org.springframework.context.annotation.Bean;
import org.springframework.core.env.Environment;

/**
 * Auto-configuration for the health of the session stores.
 */
@AutoConfiguration(after = ResilientSessionAutoConfiguration.class,
		beforeName = "org.springframework.boot.health.autoconfigure.registry.HealthContributorRegistryAutoConfiguration")
@ConditionalOnClass({ HealthContributor.class, ConditionalOnEnabledHealthIndicator.class })
@ConditionalOnBean(ResilientSessions.class)
public final class ResilientSessionHealthAutoConfiguration {

	private static final Logger logger = LoggerFactory.getLogger(ResilientSessionHealthAutoConfiguration.class);

	static final String STATUS_ORDER = "management.endpoint.health.status.order";

	@Bean
	@ConditionalOnMissingBean(name = { "resilientSessionHealthContributor", "resilientSessionHealthIndicator" })
	@ConditionalOnEnabledHealthIndicator("resilientsession")
	CompositeHealthContributor resilientSessionHealthContributor(ResilientSessions sessions, Environment environment) {
		String degraded = SessionStoresHealth.DEGRADED.getCode();
		List<String> order = Binder.get(environment)
			.bind(STATUS_ORDER, Bindable.listOf(String.class))
			.orElse(List.of(degraded));
		if (order.stream().noneMatch(degraded::equalsIgnoreCase)) {
			logger.warn(
					"{} does not name {}, which Resilient Session reports while a store is missing: Spring Boot "
							+ "leaves it out then, and the application is shown as up. Add it, before UP.",
					STATUS_ORDER, degraded);
		}
		return SessionStoresHealth.contributor(sessions);
	}

	/**
	 * Spring Boot's own indicators of the stores that sessions outlive, where there is
	 * one of each: of several nobody can say which is which.
	 */
	@Bean
	@ConditionalOnBooleanProperty(name = "resilient-session.health.degrade-stores", matchIfMissing = true)
	static BeanPostProcessor resilientSessionStoreHealthPostProcessor(ObjectProvider<ResilientSessions> sessions,
			Environment environment) {
		boolean ownRedis = environment.containsProperty("resilient-session.redis.url");
		boolean ownDatabase = environment.containsProperty("resilient-session.datasource.url");
		return new BeanPostProcessor() {

			@Override
			public Object postProcessAfterInitialization(Object bean, String beanName) {
				if (beanName.equals("redisHealthContributor") && !ownRedis) {
					return degradedRedis(bean, sessions.getObject());
				}
				if (beanName.equals("dbHealthContributor") && !ownDatabase) {
					return degraded(bean, sessions.getObject().durableCircuit());
				}
				return bean;
			}

		};
	}

	private static Object degradedRedis(Object contributor, ResilientSessions sessions) {
		if (contributor instanceof HealthIndicator indicator) {
			return DegradedHealth.ofRedis(indicator, sessions);
		}
		return (contributor instanceof ReactiveHealthIndicator indicator) ? DegradedHealth.ofRedis(indicator, sessions)
				: contributor;
	}

	private static Object degraded(Object contributor, TierCircuit circuit) {
		if (contributor instanceof HealthIndicator indicator) {
			return DegradedHealth.of(indicator, circuit);
		}
		return (contributor instanceof ReactiveHealthIndicator indicator) ? DegradedHealth.of(indicator, circuit)
				: contributor;
	}

}

package io.github.resilientsession.autoconfigure;

import java.util.Map;

import org.springframework.boot.EnvironmentPostProcessor;
import org.springframework.boot.SpringApplication;
import org.springframework.core.env.ConfigurableEnvironment;
import org.springframework.core.env.MapPropertySource;

/**
 * Settings of Spring Boot that are by default other than Boot has them; what the
 * application sets itself goes first.
 * <p>
 * Off are the events that Spring MVC publishes after each request: to put the session id
 * and the user into them it needs the session of every request that carries a cookie, and
 * fails after the response has been written if no store can answer.
 * <p>
 * The statuses of health know {@code DEGRADED}: one that is not named is left out where
 * the whole is made of its components.
 */
final class ResilientSessionDefaults implements EnvironmentPostProcessor {

	@Override
	public void postProcessEnvironment(ConfigurableEnvironment environment, SpringApplication application) {
		if (environment.getProperty("resilient-session.enabled", Boolean.class, true)) {
			environment.getPropertySources()
				.addLast(new MapPropertySource("resilientSessionDefaults",
						Map.of("spring.mvc.publish-request-handled-events", "false",
								"management.endpoint.health.status.order", "DOWN,OUT_OF_SERVICE,DEGRADED,UP,UNKNOWN")));
		}
	}

}

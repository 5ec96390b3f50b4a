package io.github.resilientsession.autoconfigure;

import java.util.Map;

import org.springframework.boot.EnvironmentPostProcessor;
import org.springframework.boot.SpringApplication;
import org.springframework.core.env.ConfigurableEnvironment;
import org.springframework.core.env.MapPropertySource;

/**
 * Turns off, by default, the events that Spring MVC publishes after each request: to put
 * the session id and the user into them it needs the session of every request that
 * carries a cookie, and fails after the response has been written if no store can answer.
 * An application that listens to them sets
 * {@code spring.mvc.publish-request-handled-events} itself.
 */
final class RequestHandledEventsDefault implements EnvironmentPostProcessor {

	@Override
	public void postProcessEnvironment(ConfigurableEnvironment environment, SpringApplication application) {
		if (environment.getProperty("resilient-session.enabled", Boolean.class, true)) {
			environment.getPropertySources()
				.addLast(new MapPropertySource("resilientSessionDefaults",
						Map.of("spring.mvc.publish-request-handled-events", "false")));
		}
	}

}

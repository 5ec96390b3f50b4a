package io.github.resilientsession.autoconfigure;

import io.github.resilientsession.ResilientSessionRepository;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

import org.springframework.beans.factory.InitializingBean;
import org.springframework.beans.factory.ListableBeanFactory;
import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.boot.autoconfigure.condition.ConditionalOnBean;
import org.springframework.boot.autoconfigure.condition.ConditionalOnBooleanProperty;
import org.springframework.boot.autoconfigure.condition.ConditionalOnMissingBean;
import org.springframework.context.annotation.Bean;
import org.springframework.session.SessionRepository;

/**
 * Auto-configuration that says so when the application has a session repository of its
 * own, for example by {@code @EnableRedisHttpSession}, and Resilient Session is not used.
 */
@AutoConfiguration(after = ResilientSessionAutoConfiguration.class)
@ConditionalOnBooleanProperty(name = "resilient-session.enabled", matchIfMissing = true)
@ConditionalOnBean(SessionRepository.class)
@ConditionalOnMissingBean(ResilientSessionRepository.class)
public final class UnusedStarterAutoConfiguration {

	private static final Logger logger = LoggerFactory.getLogger(UnusedStarterAutoConfiguration.class);

	@Bean
	InitializingBean resilientSessionUnusedWarning(ListableBeanFactory beans) {
		return () -> logger
			.warn("Sessions are NOT kept by Resilient Session, because the application declares a session "
					+ "repository of its own: {}. Remove what declares it (an annotation such as @EnableRedisHttpSession, or "
					+ "a bean), or set resilient-session.enabled=false to silence this warning.",
					String.join(", ", beans.getBeanNamesForType(SessionRepository.class)));
	}

}

package io.github.resilientsession.autoconfigure;

import io.github.resilientsession.ResilientSessions;
import io.github.resilientsession.actuate.ResilientSessionEndpoint;

import org.springframework.boot.actuate.autoconfigure.endpoint.condition.ConditionalOnAvailableEndpoint;
import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.boot.autoconfigure.condition.ConditionalOnBean;
import org.springframework.boot.autoconfigure.condition.ConditionalOnClass;
import org.springframework.boot.autoconfigure.condition.ConditionalOnMissingBean;
import org.springframework.context.annotation.Bean;

/**
 * Auto-configuration for the endpoint {@code resilientsession}.
 */
@AutoConfiguration(after = ResilientSessionAutoConfiguration.class)
@ConditionalOnClass(ConditionalOnAvailableEndpoint.class)
@ConditionalOnBean(ResilientSessions.class)
@ConditionalOnAvailableEndpoint(ResilientSessionEndpoint.class)
public final class ResilientSessionEndpointAutoConfiguration {

	@Bean
	@ConditionalOnMissingBean
	ResilientSessionEndpoint resilientSessionEndpoint(ResilientSessions sessions) {
		return new ResilientSessionEndpoint(sessions);
	}

}

package io.github.resilientsession.sample.control;

import io.github.resilientsession.ResilientSessionRepository;
import io.github.resilientsession.actuate.ResilientSessionEndpoint;
import io.github.resilientsession.testsupport.PostgresServer;
import io.github.resilientsession.testsupport.RedisServer;
import io.micrometer.core.instrument.MeterRegistry;

import org.springframework.boot.autoconfigure.condition.ConditionalOnBooleanProperty;
import org.springframework.boot.jdbc.autoconfigure.JdbcConnectionDetails;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.annotation.Profile;
import org.springframework.scheduling.annotation.EnableScheduling;

/**
 * The control room, in the demo only: it breaks the servers that the demo has started
 * itself.
 */
@Configuration(proxyBeanMethods = false)
@Profile("demo")
@ConditionalOnBooleanProperty("shop.embedded-servers")
@EnableScheduling
class ControlRoomConfiguration {

	@Bean
	AnsweredBy answeredBy() {
		return new AnsweredBy();
	}

	@Bean
	Stores stores(RedisServer redis, PostgresServer postgres) {
		return new Stores(redis, postgres);
	}

	@Bean(destroyMethod = "close")
	LoadGenerator loadGenerator(ResilientSessionRepository repository) {
		return new LoadGenerator(repository);
	}

	@Bean
	Instruments instruments(ResilientSessionEndpoint endpoint, MeterRegistry meters, LoadGenerator load,
			ResilientSessionRepository repository, AnsweredBy answeredBy, RedisServer redis, PostgresServer postgres,
			JdbcConnectionDetails database) {
		return new Instruments(endpoint, meters, load, repository, answeredBy, redis, postgres,
				PostgresServer.database(database.getJdbcUrl()));
	}

}

package io.github.resilientsession.sample;

import java.util.Map;

import io.github.resilientsession.testsupport.PostgresServer;
import io.github.resilientsession.testsupport.RedisServer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

import org.springframework.boot.autoconfigure.condition.ConditionalOnBooleanProperty;
import org.springframework.boot.data.redis.autoconfigure.DataRedisConnectionDetails;
import org.springframework.boot.jdbc.autoconfigure.JdbcConnectionDetails;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;

/**
 * A real Redis and a real PostgreSQL of the shop's own, on free ports, which are gone
 * when it ends.
 * <p>
 * Whoever connects to them depends on these beans, so the processes are there before the
 * first connection and end after the last.
 */
@Configuration(proxyBeanMethods = false)
@ConditionalOnBooleanProperty("shop.embedded-servers")
public class EmbeddedServers {

	/**
	 * The memory that the demo's Redis may use.
	 */
	public static final String MAX_MEMORY = "256mb";

	/**
	 * What the demo's Redis does when it is full.
	 */
	public static final String POLICY = "noeviction";

	private static final Logger logger = LoggerFactory.getLogger(EmbeddedServers.class);

	@Bean(destroyMethod = "close")
	RedisServer redisServer() {
		RedisServer server = RedisServer.start(Map.of("maxmemory", MAX_MEMORY, "maxmemory-policy", POLICY));
		logger.info("Redis for this demo: redis-cli -h {} -p {}", server.host(), server.port());
		return server;
	}

	@Bean(destroyMethod = "close")
	PostgresServer postgresServer() {
		PostgresServer server = PostgresServer.start();
		logger.info("PostgreSQL for this demo: psql -h {} -p {} -U {} (password {})", server.host(), server.port(),
				server.username(), server.password());
		return server;
	}

	@Bean
	DataRedisConnectionDetails redisConnectionDetails(RedisServer server) {
		return new DataRedisConnectionDetails() {

			@Override
			public Standalone getStandalone() {
				return Standalone.of(server.host(), server.port());
			}

		};
	}

	@Bean
	JdbcConnectionDetails databaseConnectionDetails(PostgresServer server) {
		String url = server.createDatabase();
		return new JdbcConnectionDetails() {

			@Override
			public String getUsername() {
				return server.username();
			}

			@Override
			public String getPassword() {
				return server.password();
			}

			@Override
			public String getJdbcUrl() {
				return url;
			}

		};
	}

}

package io.github.resilientsession.sample;

import io.github.resilientsession.testsupport.RedisServer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

import org.springframework.boot.autoconfigure.condition.ConditionalOnBooleanProperty;
import org.springframework.boot.data.redis.autoconfigure.DataRedisConnectionDetails;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;

/**
 * A real Redis process of the shop's own, on a free port and in memory only.
 * <p>
 * Whoever connects to Redis depends on these beans, so the process is there before the
 * first connection and ends after the last.
 */
@Configuration(proxyBeanMethods = false)
@ConditionalOnBooleanProperty("shop.embedded-redis")
class EmbeddedRedis {

	private static final Logger logger = LoggerFactory.getLogger(EmbeddedRedis.class);

	@Bean(destroyMethod = "close")
	RedisServer redisServer() {
		RedisServer server = RedisServer.start();
		logger.info("Redis for this demo: redis-cli -h {} -p {}", server.host(), server.port());
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

}

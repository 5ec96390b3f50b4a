package io.github.resilientsession.autoconfigure;

import java.util.List;
import java.util.function.Supplier;

import io.github.resilientsession.redis.RedisConnections;
import io.lettuce.core.RedisURI;

import org.jspecify.annotations.Nullable;

import org.springframework.data.redis.connection.RedisConnectionFactory;
import org.springframework.data.redis.connection.lettuce.LettuceClientConfiguration;
import org.springframework.data.redis.connection.lettuce.LettuceConnectionFactory;
import org.springframework.util.StringUtils;

/**
 * Chooses the Redis that sessions are copied to.
 */
final class SessionRedis {

	private SessionRedis() {
	}

	static LettuceConnectionFactory connections(ResilientSessionProperties.Redis properties,
			Supplier<@Nullable RedisConnectionFactory> application) {
		if (StringUtils.hasText(properties.url())) {
			RedisURI uri = uri(properties.url());
			LettuceClientConfiguration.LettuceClientConfigurationBuilder client = LettuceClientConfiguration.builder();
			if (uri.isSsl()) {
				client.useSsl();
			}
			return RedisConnections.derive(new LettuceConnectionFactory(
					LettuceConnectionFactory.createRedisConfiguration(uri), client.build()), properties.timeLimit());
		}
		RedisConnectionFactory given = application.get();
		if (given == null) {
			throw new ContradictorySettingsException(List.of("there is no RedisConnectionFactory for sessions: set "
					+ "spring.data.redis.url or resilient-session.redis.url, or mark one of several "
					+ "RedisConnectionFactory beans with @SpringSessionRedisConnectionFactory or as primary"));
		}
		if (given instanceof LettuceConnectionFactory lettuce) {
			return RedisConnections.derive(lettuce, properties.timeLimit());
		}
		throw new ContradictorySettingsException(List
			.of("the RedisConnectionFactory is a " + given.getClass().getName() + ", but sessions need Lettuce: "
					+ "set spring.data.redis.client-type=lettuce, or give sessions a connection of their own with "
					+ "resilient-session.redis.url"));
	}

	private static RedisURI uri(String url) {
		try {
			return RedisURI.create(url);
		}
		catch (IllegalArgumentException ex) {
			// Not the value, which may hold a password.
			throw new ContradictorySettingsException(
					List.of("resilient-session.redis.url is not a redis:// or rediss:// URL"));
		}
	}

}

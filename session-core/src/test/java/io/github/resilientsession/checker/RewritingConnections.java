package io.github.resilientsession.checker;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;

import io.lettuce.core.api.StatefulRedisConnection;
import io.lettuce.core.cluster.api.async.RedisClusterAsyncCommands;

import org.springframework.beans.DirectFieldAccessor;
import org.springframework.data.redis.connection.RedisConfiguration;
import org.springframework.data.redis.connection.lettuce.LettuceConnection;
import org.springframework.data.redis.connection.lettuce.LettuceConnectionFactory;
import org.springframework.data.redis.connection.lettuce.LettuceConnectionProvider;

/**
 * Connections to Redis that send other commands than they are asked to.
 */
final class RewritingConnections extends LettuceConnectionFactory {

	private final Rewriting rewriting;

	/**
	 * Create connections to where others lead.
	 * @param others standalone, neither started nor connected
	 */
	RewritingConnections(LettuceConnectionFactory others, Rewriting rewriting) {
		super(configuration(others), others.getClientConfiguration());
		this.rewriting = rewriting;
		setShareNativeConnection(true);
		setValidateConnection(false);
		setEagerInitialization(false);
		afterPropertiesSet();
	}

	/**
	 * The accessor answers with localhost for a configuration of unknown type.
	 */
	private static RedisConfiguration configuration(LettuceConnectionFactory others) {
		Object configuration = new DirectFieldAccessor(others).getPropertyValue("configuration");
		return (RedisConfiguration) configuration;
	}

	@Override
	protected LettuceConnection doCreateLettuceConnection(StatefulRedisConnection<byte[], byte[]> sharedConnection,
			LettuceConnectionProvider connectionProvider, long timeout, int database) {
		return new LettuceConnection(sharedConnection, connectionProvider, timeout, database) {

			@Override
			public RedisClusterAsyncCommands<byte[], byte[]> getNativeConnection() {
				return rewriting(super.getNativeConnection());
			}

		};
	}

	@SuppressWarnings("unchecked")
	private RedisClusterAsyncCommands<byte[], byte[]> rewriting(RedisClusterAsyncCommands<byte[], byte[]> commands) {
		return (RedisClusterAsyncCommands<byte[], byte[]>) Proxy.newProxyInstance(getClass().getClassLoader(),
				new Class<?>[] { RedisClusterAsyncCommands.class }, (proxy, method, arguments) -> {
					try {
						Object instead = this.rewriting.instead(commands, method, arguments);
						return (instead != null) ? instead : method.invoke(commands, arguments);
					}
					catch (InvocationTargetException ex) {
						throw ex.getCause();
					}
				});
	}

	/**
	 * What is sent instead.
	 */
	interface Rewriting {

		/**
		 * Send something else.
		 * @return the answer, or {@code null} to send what was asked for
		 */
		Object instead(RedisClusterAsyncCommands<byte[], byte[]> commands, Method method, Object[] arguments)
				throws Exception;

	}

}

package io.github.resilientsession.redis;

import java.time.Duration;
import java.util.concurrent.TimeUnit;

import io.lettuce.core.ClientOptions;
import io.lettuce.core.SocketOptions;
import io.lettuce.core.TimeoutOptions;
import io.lettuce.core.cluster.ClusterClientOptions;
import io.lettuce.core.cluster.ClusterTopologyRefreshOptions;
import io.lettuce.core.resource.ClientResources;
import io.lettuce.core.resource.Delay;
import io.lettuce.core.resource.NettyCustomizer;
import org.jspecify.annotations.Nullable;

import org.springframework.beans.DirectFieldAccessor;
import org.springframework.data.redis.connection.RedisConfiguration;
import org.springframework.data.redis.connection.lettuce.LettuceClientConfiguration;
import org.springframework.data.redis.connection.lettuce.LettuceConnectionFactory;

/**
 * Derives the library's own connection from the application's: the same servers,
 * credentials and TLS, but time limits, queue and reconnecting of its own, so that
 * neither hangs because of the other.
 */
public final class RedisConnections {

	/**
	 * Commands that may wait for an answer; a bound for the memory of a Redis that hangs.
	 */
	private static final int REQUEST_QUEUE_SIZE = 20_000;

	private RedisConnections() {
	}

	/**
	 * Derive a connection factory, neither started nor connected.
	 * @param application the application's factory, standalone, Sentinel or cluster
	 * @param timeLimit how long a command may take
	 * @return a factory that the caller destroys, and with it its
	 * {@link LettuceConnectionFactory#getClientResources() client resources}, which are
	 * its own
	 */
	public static LettuceConnectionFactory derive(LettuceConnectionFactory application, Duration timeLimit) {
		LettuceConnectionFactory own = new LettuceConnectionFactory(configuration(application),
				clientConfiguration(application, timeLimit));
		own.setShareNativeConnection(true);
		own.setValidateConnection(false);
		own.setEagerInitialization(false);
		own.afterPropertiesSet();
		return own;
	}

	/**
	 * Where the application's factory connects to. There is no accessor that says so in
	 * every case: {@code getStandaloneConfiguration()} answers with localhost if the
	 * factory was given a {@link RedisConfiguration} that it does not know by its type.
	 */
	private static RedisConfiguration configuration(LettuceConnectionFactory application) {
		Object configuration = new DirectFieldAccessor(application).getPropertyValue("configuration");
		return (configuration instanceof RedisConfiguration given) ? given : application.getStandaloneConfiguration();
	}

	private static LettuceClientConfiguration clientConfiguration(LettuceConnectionFactory application,
			Duration timeLimit) {
		LettuceClientConfiguration given = application.getClientConfiguration();
		// Reading from replicas is not taken over: a replica lags, and a reader would see
		// an older state.
		LettuceClientConfiguration.LettuceClientConfigurationBuilder own = LettuceClientConfiguration.builder()
			.commandTimeout(timeLimit)
			.shutdownQuietPeriod(Duration.ZERO)
			.clientOptions(options(application, timeLimit));
		given.getClientName().ifPresent(own::clientName);
		own.clientResources(resources(given.getClientResources().orElse(null)));
		given.getRedisCredentialsProviderFactory().ifPresent(own::redisCredentialsProviderFactory);
		if (given.isUseSsl()) {
			LettuceClientConfiguration.LettuceSslClientConfigurationBuilder ssl = own.useSsl();
			ssl.verifyPeer(given.getVerifyMode());
			if (given.isStartTls()) {
				ssl.startTls();
			}
		}
		return own.build();
	}

	/**
	 * The application's threads, if it shares them, but back within a quarter of a second
	 * after Redis is. What is shared is named, since only that outlives a shutdown of the
	 * result.
	 */
	private static ClientResources resources(@Nullable ClientResources application) {
		ClientResources.Builder own = (application != null) ? application.mutate()
			.eventLoopGroupProvider(application.eventLoopGroupProvider())
			.eventExecutorGroup(application.eventExecutorGroup())
			.timer(application.timer())
			.commandLatencyRecorder(application.commandLatencyRecorder()) : ClientResources.builder();
		NettyCustomizer given = (application != null) ? application.nettyCustomizer() : new NettyCustomizer() {
		};
		return own.nettyCustomizer(new FlushTogether(given))
			.reconnectDelay(
					() -> Delay.exponential(Duration.ofMillis(20), Duration.ofMillis(250), 2, TimeUnit.MILLISECONDS))
			.build();
	}

	private static ClientOptions options(LettuceConnectionFactory application, Duration timeLimit) {
		ClientOptions given = application.getClientConfiguration().getClientOptions().orElseGet(ClientOptions::create);
		SocketOptions socket = given.getSocketOptions()
			.mutate()
			.connectTimeout(timeLimit.multipliedBy(4))
			.keepAlive(true)
			.build();
		ClientOptions.Builder own = (application.getClusterConfiguration() != null) ? cluster(given) : given.mutate();
		return own.autoReconnect(true)
			.disconnectedBehavior(ClientOptions.DisconnectedBehavior.REJECT_COMMANDS)
			.requestQueueSize(REQUEST_QUEUE_SIZE)
			.socketOptions(socket)
			.timeoutOptions(TimeoutOptions.enabled(timeLimit))
			.build();
	}

	private static ClusterClientOptions.Builder cluster(ClientOptions given) {
		ClusterClientOptions.Builder own = (given instanceof ClusterClientOptions options) ? options.mutate()
				: ClusterClientOptions.builder(given);
		return own.topologyRefreshOptions(ClusterTopologyRefreshOptions.builder()
			.enablePeriodicRefresh(Duration.ofSeconds(30))
			.enableAllAdaptiveRefreshTriggers()
			.build());
	}

}

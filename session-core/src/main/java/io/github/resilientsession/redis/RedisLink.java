package io.github.resilientsession.redis;

import java.time.Duration;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

import io.lettuce.core.RedisChannelHandler;
import io.lettuce.core.RedisConnectionStateListener;
import io.lettuce.core.cluster.api.async.RedisClusterAsyncCommands;
import io.lettuce.core.resource.ClientResources;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

import org.springframework.data.redis.connection.lettuce.LettuceConnection;
import org.springframework.data.redis.connection.lettuce.LettuceConnectionFactory;

/**
 * The connection to Redis, made in the background and never by a request: Lettuce
 * connects under a lock, behind which every request would wait for a Redis that hangs.
 * Once made, Lettuce restores it by itself.
 */
final class RedisLink implements AutoCloseable {

	/**
	 * Longer than connecting takes that ends at all.
	 */
	private static final Duration PATIENCE = Duration.ofSeconds(10);

	private static final Logger logger = LoggerFactory.getLogger(RedisLink.class);

	private final LettuceConnectionFactory connections;

	private final Duration timeLimit;

	private final Runnable whenLost;

	private final ThreadPoolExecutor administration = new ThreadPoolExecutor(1, 1, 10, TimeUnit.SECONDS,
			new ArrayBlockingQueue<>(2), (task) -> {
				Thread thread = new Thread(task, "resilient-session-redis-client");
				thread.setDaemon(true);
				return thread;
			});

	private boolean listening;

	private volatile @Nullable LettuceConnection connection;

	private volatile @Nullable RedisClusterAsyncCommands<byte[], byte[]> commands;

	/**
	 * Create a link that is not connected.
	 * @param whenLost run on each loss of a connection, before there is another: on a
	 * thread that must not be held up
	 */
	RedisLink(LettuceConnectionFactory connections, Duration timeLimit, Runnable whenLost) {
		this.connections = connections;
		this.timeLimit = timeLimit;
		this.whenLost = whenLost;
		this.administration.allowCoreThreadTimeOut(true);
	}

	/**
	 * Let go of a connection that has been silent for long. A connection whose other end
	 * has vanished without a word is not replaced by itself for a quarter of an hour.
	 * @throws RedisTierException if that does not end within {@link #PATIENCE}
	 */
	void disconnect() {
		this.commands = null;
		this.whenLost.run();
		run("let go of a connection", () -> {
			LettuceConnection made = this.connection;
			this.commands = null;
			this.connection = null;
			if (made != null) {
				made.close();
				this.connections.resetConnection();
			}
		});
	}

	/**
	 * Connect, unless connected already; may take as long as connecting takes.
	 * @throws RedisTierException if Redis cannot be reached, or if that does not end
	 * within {@link #PATIENCE}
	 */
	void connect() {
		if (this.commands == null) {
			run("connect", this::connectNow);
		}
	}

	private void connectNow() {
		if (this.commands != null) {
			return;
		}
		this.connections.start();
		// Lettuce tells of a disconnect before it begins to reconnect, and so before
		// anything is asked of what answers next.
		if (!this.listening) {
			this.connections.getRequiredNativeClient().addListener(new RedisConnectionStateListener() {

				@Override
				public void onRedisDisconnected(RedisChannelHandler<?, ?> connection) {
					RedisLink.this.whenLost.run();
				}

			});
			this.listening = true;
		}
		LettuceConnection made = (LettuceConnection) this.connections.getConnection();
		this.commands = made.getNativeConnection();
		this.connection = made;
	}

	/**
	 * Do something with the client that Lettuce does not limit. One after the other, on a
	 * thread of its own: Lettuce may never end to close what Redis has left in a bad
	 * state (its issues 2278 and 3880), and then nobody is to wait for it.
	 */
	private void run(String what, Runnable work) {
		try {
			this.administration.submit(work).get(PATIENCE.toNanos(), TimeUnit.NANOSECONDS);
		}
		catch (ExecutionException ex) {
			throw RedisTierException.of((ex.getCause() != null) ? ex.getCause() : ex);
		}
		catch (TimeoutException | RejectedExecutionException ex) {
			throw new RedisTierException(RedisTierException.Kind.UNAVAILABLE, "The Redis client does not " + what
					+ " within " + PATIENCE.toSeconds() + " s; if this goes on, restart the application", ex);
		}
		catch (InterruptedException ex) {
			Thread.currentThread().interrupt();
			throw new RedisTierException(RedisTierException.Kind.UNAVAILABLE,
					"Interrupted while the Redis client was to " + what, ex);
		}
	}

	RedisClusterAsyncCommands<byte[], byte[]> commands() {
		RedisClusterAsyncCommands<byte[], byte[]> current = this.commands;
		if (current == null) {
			throw new RedisTierException(RedisTierException.Kind.UNAVAILABLE, "There is no connection to Redis yet",
					null);
		}
		return current;
	}

	/**
	 * Wait for an answer, but no longer than the time limit. An interrupt is kept for
	 * later: it says nothing about Redis, and the limit is short.
	 */
	<T> T await(Future<T> answer) {
		boolean interrupted = false;
		long deadline = System.nanoTime() + this.timeLimit.toNanos();
		try {
			while (true) {
				try {
					return answer.get(deadline - System.nanoTime(), TimeUnit.NANOSECONDS);
				}
				catch (InterruptedException ex) {
					interrupted = true;
				}
			}
		}
		catch (ExecutionException ex) {
			throw RedisTierException.of((ex.getCause() != null) ? ex.getCause() : ex);
		}
		catch (TimeoutException ex) {
			answer.cancel(true);
			throw new RedisTierException(RedisTierException.Kind.UNAVAILABLE,
					"Redis did not answer within " + this.timeLimit.toMillis() + " ms", ex);
		}
		finally {
			if (interrupted) {
				Thread.currentThread().interrupt();
			}
		}
	}

	/**
	 * Disconnect, and give back all threads. Takes no longer than {@link #PATIENCE} and
	 * what the last connecting takes.
	 */
	@Override
	public void close() {
		this.commands = null;
		try {
			run("close", () -> {
				LettuceConnection made = this.connection;
				this.commands = null;
				if (made != null) {
					made.close();
				}
				this.connections.destroy();
				ClientResources resources = this.connections.getClientResources();
				if (resources != null) {
					resources.shutdown(0, 2, TimeUnit.SECONDS).awaitUninterruptibly(2, TimeUnit.SECONDS);
				}
			});
		}
		catch (RedisTierException ex) {
			logger.warn("The connection to Redis could not be closed, and what is left of it is given up: {}",
					ex.getMessage());
		}
		this.administration.shutdown();
	}

}

package io.github.resilientsession.redis;

import java.time.Duration;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.locks.ReentrantLock;

import io.lettuce.core.RedisChannelHandler;
import io.lettuce.core.RedisConnectionStateListener;
import io.lettuce.core.cluster.api.async.RedisClusterAsyncCommands;
import io.lettuce.core.resource.ClientResources;
import org.jspecify.annotations.Nullable;

import org.springframework.data.redis.connection.lettuce.LettuceConnection;
import org.springframework.data.redis.connection.lettuce.LettuceConnectionFactory;

/**
 * The connection to Redis, made in the background and never by a request: Lettuce
 * connects under a lock, behind which every request would wait for a Redis that hangs.
 * Once made, Lettuce restores it by itself.
 */
final class RedisLink implements AutoCloseable {

	private final LettuceConnectionFactory connections;

	private final Duration timeLimit;

	private final Runnable whenLost;

	private final ReentrantLock connecting = new ReentrantLock();

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
	}

	/**
	 * Let go of a connection that has been silent for long. A connection whose other end
	 * has vanished without a word is not replaced by itself for a quarter of an hour.
	 */
	void disconnect() {
		this.connecting.lock();
		try {
			LettuceConnection made = this.connection;
			this.commands = null;
			this.connection = null;
			this.whenLost.run();
			if (made != null) {
				made.close();
				this.connections.resetConnection();
			}
		}
		finally {
			this.connecting.unlock();
		}
	}

	/**
	 * Connect, unless connected already; may take as long as connecting takes.
	 */
	void connect() {
		if (this.commands != null) {
			return;
		}
		this.connecting.lock();
		try {
			if (this.commands == null) {
				this.connections.start();
				// Lettuce tells of a disconnect before it begins to reconnect, and so
				// before anything is asked of what answers next.
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
		}
		catch (RuntimeException ex) {
			throw RedisTierException.of(ex);
		}
		finally {
			this.connecting.unlock();
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

	@Override
	public void close() {
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
	}

}

package io.github.resilientsession.testsupport;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Function;

import io.lettuce.core.KeyScanCursor;
import io.lettuce.core.KillArgs;
import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisException;
import io.lettuce.core.RedisURI;
import io.lettuce.core.ScanArgs;
import io.lettuce.core.ScanCursor;
import io.lettuce.core.api.StatefulRedisConnection;
import io.lettuce.core.api.sync.RedisCommands;
import io.lettuce.core.codec.RedisCodec;
import io.lettuce.core.codec.StringCodec;

/**
 * A real Redis on a free loopback port: a process of a {@code redis-server} binary, or a
 * container where the system property {@value #CONTAINERS} is true. Its failures are
 * operations. Not safe for use by many threads.
 */
public abstract class RedisServer implements AutoCloseable {

	/**
	 * The system property that asks for containers.
	 */
	public static final String CONTAINERS = "resilient-session.test.containers";

	private static final Duration COMMAND_TIMEOUT = Duration.ofSeconds(5);

	private static final int PIPELINE = 500;

	private String password;

	private Map<String, String> configurationAtStart = Map.of();

	/**
	 * Start a Redis without persistence.
	 * @return the server, ready
	 */
	public static RedisServer start() {
		return start(Map.of());
	}

	/**
	 * Start a Redis.
	 * @param configuration directives of {@code redis.conf}
	 * @return the server, ready
	 */
	public static RedisServer start(Map<String, String> configuration) {
		Map<String, String> all = new LinkedHashMap<>(Map.of("save", "", "appendonly", "no"));
		all.putAll(configuration);
		RedisServer server = Boolean.getBoolean(CONTAINERS) ? new RedisContainer(all) : new RedisProcess(all);
		server.configurationAtStart = server.call((redis) -> redis.configGet("*"));
		return server;
	}

	public abstract String host();

	public abstract int port();

	/**
	 * Kill it, as {@code kill -9} or the kernel's memory limit would.
	 */
	public abstract void kill();

	/**
	 * Stop it in its tracks: connections stay, answers do not come.
	 */
	public abstract void pause();

	/**
	 * Let it go on after {@link #pause()}.
	 */
	public abstract void resume();

	public abstract boolean isRunning();

	/**
	 * Start it again at the same address, with no data; kill it first if it runs.
	 */
	public abstract void restartEmpty();

	/**
	 * Start it again at the same address with the data of a snapshot; kill it first if it
	 * runs.
	 * @param snapshot from {@link #snapshot()}
	 */
	public abstract void restartFrom(Path snapshot);

	/**
	 * Save its data.
	 * @return a file that outlives it
	 */
	public abstract Path snapshot();

	@Override
	public abstract void close();

	public final String uri() {
		return "redis://" + host() + ":" + port();
	}

	public final void flushAll() {
		call(RedisCommands::flushall);
	}

	public final void configSet(String name, String value) {
		call((redis) -> redis.configSet(name, value));
	}

	/**
	 * Follow a master, as a replica that refuses writes.
	 * @param host the master's host, or that of a wire to it
	 * @param port the master's port, or that of a wire to it
	 * @see #awaitReplicated(RedisServer)
	 */
	public final void replicaOf(String host, int port) {
		call((redis) -> redis.replicaof(host, port));
	}

	/**
	 * Follow a master, and have what it has.
	 * @param master the master
	 */
	public final void replicaOf(RedisServer master) {
		replicaOf(master.host(), master.port());
		awaitReplicated(master);
	}

	/**
	 * Wait until this replica has what its master has now.
	 * @param master the master
	 */
	public final void awaitReplicated(RedisServer master) {
		long offset = Long.parseLong(master.replication("master_repl_offset"));
		ServerProcess.await("The replica at " + uri(), () -> "up".equals(replication("master_link_status"))
				&& Long.parseLong(replication("slave_repl_offset")) >= offset);
	}

	private String replication(String field) {
		String start = field + ":";
		return call((redis) -> redis.info("replication")).lines()
			.filter((line) -> line.startsWith(start))
			.map((line) -> line.substring(start.length()).trim())
			.findFirst()
			.orElse("0");
	}

	/**
	 * Be a master, with what this replica has.
	 */
	public final void promote() {
		call(RedisCommands::replicaofNoOne);
	}

	/**
	 * Answer no client for a while, as during a failover.
	 * @param duration how long
	 */
	public final void clientPause(Duration duration) {
		call((redis) -> redis.clientPause(duration.toMillis()));
	}

	/**
	 * Ask clients for a password from now on; those that are connected stay.
	 * @param password the password, or an empty one for none
	 * @see #killClients()
	 */
	public final void requirePassword(String password) {
		configSet("requirepass", password);
		this.password = password.isEmpty() ? null : password;
	}

	/**
	 * Close the connections of all clients.
	 */
	public final void killClients() {
		call((redis) -> redis.clientKill(KillArgs.Builder.typeNormal().skipme()));
	}

	/**
	 * Forget all scripts.
	 */
	public final void scriptFlush() {
		call(RedisCommands::scriptFlush);
	}

	/**
	 * Store keys that are not ours, as an application does that uses Redis for other
	 * things too.
	 * @param count how many
	 * @param bytes how large each
	 * @return how many Redis took; it may have evicted others for them
	 */
	public final int floodForeignKeys(int count, int bytes) {
		String value = "x".repeat(bytes);
		return connected((connection) -> {
			int taken = 0;
			for (int from = 0; from < count; from += PIPELINE) {
				List<CompletionStage<Integer>> answers = new ArrayList<>();
				for (int i = from; i < Math.min(from + PIPELINE, count); i++) {
					answers.add(connection.async().set("foreign:" + i, value).handle((ok, ex) -> (ex != null) ? 0 : 1));
				}
				for (CompletionStage<Integer> answer : answers) {
					taken += answer.toCompletableFuture()
						.orTimeout(COMMAND_TIMEOUT.toSeconds(), TimeUnit.SECONDS)
						.join();
				}
			}
			return taken;
		});
	}

	/**
	 * The memory that Redis has in use.
	 * @return bytes, as {@code maxmemory} counts them
	 */
	public final long usedMemory() {
		return call((redis) -> redis.info("memory")).lines()
			.filter((line) -> line.startsWith("used_memory:"))
			.mapToLong((line) -> Long.parseLong(line.substring("used_memory:".length()).trim()))
			.findFirst()
			.orElseThrow();
	}

	/**
	 * Whether nothing is left of a fault that was caused: it runs, as a master without
	 * replicas, answers and is configured as at its start.
	 * @return whether it is
	 */
	final boolean isAsStarted() {
		if (!isRunning()) {
			return false;
		}
		resume();
		try {
			return call((redis) -> {
				String replication = redis.info("replication");
				return redis.configGet("*").equals(this.configurationAtStart) && replication.contains("role:master")
						&& replication.contains("connected_slaves:0");
			});
		}
		catch (RedisException ex) {
			return false;
		}
	}

	/**
	 * Called by the subclass before it connects to what it has launched.
	 */
	final void launched(Map<String, String> configuration) {
		this.password = configuration.get("requirepass");
	}

	/**
	 * The keys that match a pattern.
	 * @param pattern a glob
	 * @return the keys, in no order
	 */
	public final List<String> keys(String pattern) {
		return call((redis) -> scan(redis, pattern));
	}

	/**
	 * Watch which commands it is sent from now on.
	 * @return the watch, to be closed
	 * @throws IOException if it does not answer
	 */
	public final CommandWatch watchCommands() throws IOException {
		return CommandWatch.start(this);
	}

	/**
	 * The remaining life of a key.
	 * @param key the key
	 * @return milliseconds, -1 without a TTL, -2 without a key
	 */
	public final long pttl(String key) {
		return call((redis) -> redis.pttl(key));
	}

	/**
	 * The keys of a namespace that would live forever: there must be none.
	 * @param namespace the prefix of the keys
	 * @return the keys
	 */
	public final List<String> keysWithoutTtl(String namespace) {
		return call((redis) -> scan(redis, namespace + "*").stream().filter((key) -> redis.pttl(key) == -1).toList());
	}

	/**
	 * Talk to it, on a connection for this call.
	 * @param <T> what the work returns
	 * @param work uses the commands
	 * @return what the work returns
	 */
	public final <T> T call(Function<RedisCommands<String, String>, T> work) {
		return connected((connection) -> work.apply(connection.sync()));
	}

	private <T> T connected(Function<StatefulRedisConnection<String, String>, T> work) {
		RedisURI.Builder uri = RedisURI.builder().withHost(host()).withPort(port()).withTimeout(COMMAND_TIMEOUT);
		if (this.password != null) {
			uri.withPassword(this.password.toCharArray());
		}
		return connected(uri.build(), StringCodec.UTF8, work);
	}

	/**
	 * Talk to a Redis, on a connection for this call.
	 * @param <K> the type of keys
	 * @param <V> the type of values
	 * @param <T> what the work returns
	 * @param uri where it is
	 * @param codec how keys and values are encoded
	 * @param work uses the connection
	 * @return what the work returns
	 */
	public static <K, V, T> T connected(RedisURI uri, RedisCodec<K, V> codec,
			Function<StatefulRedisConnection<K, V>, T> work) {
		RedisClient client = RedisClient.create(uri);
		try {
			return work.apply(client.connect(codec));
		}
		finally {
			close(client);
		}
	}

	/**
	 * What Lettuce closes may never be closed (its issue 2278), and is not waited for
	 * longer than this.
	 */
	private static void close(RedisClient client) {
		try {
			client.shutdownAsync(0, 2, TimeUnit.SECONDS).get(10, TimeUnit.SECONDS);
		}
		catch (InterruptedException ex) {
			Thread.currentThread().interrupt();
		}
		catch (ExecutionException | TimeoutException ex) {
			System.out.println("A Redis client could not be closed: " + ex);
		}
	}

	final void awaitReady(ProcessHandle process) {
		ServerProcess.awaitReady("Redis at " + uri(), process, () -> call(RedisCommands::ping));
	}

	private static List<String> scan(RedisCommands<String, String> redis, String pattern) {
		List<String> keys = new ArrayList<>();
		ScanArgs args = ScanArgs.Builder.matches(pattern).limit(1_000);
		KeyScanCursor<String> cursor = redis.scan(ScanCursor.INITIAL, args);
		keys.addAll(cursor.getKeys());
		while (!cursor.isFinished()) {
			cursor = redis.scan(cursor, args);
			keys.addAll(cursor.getKeys());
		}
		return keys.stream().distinct().toList();
	}

}

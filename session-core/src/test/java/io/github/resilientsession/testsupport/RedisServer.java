package io.github.resilientsession.testsupport;

import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

import io.lettuce.core.KeyScanCursor;
import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisURI;
import io.lettuce.core.ScanArgs;
import io.lettuce.core.ScanCursor;
import io.lettuce.core.api.StatefulRedisConnection;
import io.lettuce.core.api.sync.RedisCommands;
import redis.embedded.core.ExecutableProvider;

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
		return Boolean.getBoolean(CONTAINERS) ? new RedisContainer(all) : new RedisProcess(all);
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
	 * The keys that match a pattern.
	 * @param pattern a glob
	 * @return the keys, in no order
	 */
	public final List<String> keys(String pattern) {
		return call((redis) -> scan(redis, pattern));
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
		RedisURI uri = RedisURI.builder().withHost(host()).withPort(port()).withTimeout(COMMAND_TIMEOUT).build();
		RedisClient client = RedisClient.create(uri);
		try (StatefulRedisConnection<String, String> connection = client.connect()) {
			return work.apply(connection.sync());
		}
		finally {
			client.shutdown(0, 2, java.util.concurrent.TimeUnit.SECONDS);
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

	/**
	 * A process of the embedded binary. The library that brings the binary hides its
	 * process, so it is started here.
	 */
	private static final class RedisProcess extends RedisServer {

		private static final File SETSID = new File("/usr/bin/setsid");

		private static final int MAX_ATTEMPTS = 50;

		private static File binary;

		private final Path directory = ServerProcess.temporaryDirectory("resilient-session-redis");

		private final int port = ServerProcess.freePort();

		private final Map<String, String> configuration;

		private final Thread shutdownHook = new Thread(this::kill);

		private Process process;

		RedisProcess(Map<String, String> configuration) {
			this.configuration = configuration;
			Runtime.getRuntime().addShutdownHook(this.shutdownHook);
			launch();
		}

		private static synchronized String binary() {
			if (binary == null) {
				try {
					binary = ExecutableProvider.newJarResourceProvider().get();
				}
				catch (IOException ex) {
					throw new UncheckedIOException("The embedded redis-server cannot be unpacked", ex);
				}
			}
			return binary.getAbsolutePath();
		}

		private void launch() {
			List<String> command = new ArrayList<>();
			if (SETSID.canExecute()) {
				// A session of its own: Ctrl-C in a terminal is for the application.
				command.add(SETSID.getPath());
			}
			command.addAll(List.of(binary(), "--port", Integer.toString(this.port), "--bind", "127.0.0.1", "--dir",
					this.directory.toString(), "--dbfilename", "dump.rdb"));
			this.configuration.forEach((name, value) -> command.addAll(List.of("--" + name, value)));
			for (int attempt = 1;; attempt++) {
				try {
					this.process = new ProcessBuilder(command).redirectErrorStream(true)
						.redirectOutput(ProcessBuilder.Redirect.appendTo(log().toFile()))
						.start();
					awaitReady(this.process.toHandle());
					return;
				}
				catch (IOException ex) {
					throw new UncheckedIOException("redis-server cannot be started", ex);
				}
				catch (IllegalStateException ex) {
					// Between a kill and a restart a client may have been given the port.
					if (this.process.isAlive() || attempt == MAX_ATTEMPTS) {
						throw new IllegalStateException(ex.getMessage() + ":\n" + tailOfLog(), ex);
					}
				}
			}
		}

		private Path log() {
			return this.directory.resolve("redis.log");
		}

		private String tailOfLog() {
			try {
				String log = Files.readString(log(), StandardCharsets.UTF_8);
				return log.substring(Math.max(0, log.length() - 2_000));
			}
			catch (IOException ex) {
				return "(no log)";
			}
		}

		@Override
		public String host() {
			return "127.0.0.1";
		}

		@Override
		public int port() {
			return this.port;
		}

		@Override
		public void kill() {
			ServerProcess.kill(this.process.pid());
		}

		@Override
		public void pause() {
			ServerProcess.signal(this.process.pid(), "STOP");
		}

		@Override
		public void resume() {
			ServerProcess.signal(this.process.pid(), "CONT");
		}

		@Override
		public boolean isRunning() {
			return this.process.isAlive();
		}

		@Override
		public void restartEmpty() {
			kill();
			dump().toFile().delete();
			launch();
		}

		@Override
		public void restartFrom(Path snapshot) {
			kill();
			try {
				Files.copy(snapshot, dump(), StandardCopyOption.REPLACE_EXISTING);
			}
			catch (IOException ex) {
				throw new UncheckedIOException(ex);
			}
			launch();
		}

		@Override
		public Path snapshot() {
			call(RedisCommands::save);
			try {
				Path copy = Files.createTempFile("resilient-session-redis", ".rdb");
				copy.toFile().deleteOnExit();
				return Files.copy(dump(), copy, StandardCopyOption.REPLACE_EXISTING);
			}
			catch (IOException ex) {
				throw new UncheckedIOException(ex);
			}
		}

		private Path dump() {
			return this.directory.resolve("dump.rdb");
		}

		@Override
		public void close() {
			kill();
			ServerProcess.deleteDirectory(this.directory);
			try {
				Runtime.getRuntime().removeShutdownHook(this.shutdownHook);
			}
			catch (IllegalStateException ex) {
				// The virtual machine is shutting down already.
			}
		}

	}

}

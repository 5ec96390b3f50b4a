package io.github.resilientsession.testsupport;

import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

import io.lettuce.core.api.sync.RedisCommands;
import redis.embedded.core.ExecutableProvider;

/**
 * A Redis in a process of the embedded binary. The library that brings the binary hides
 * its process, so it is started here.
 */
final class RedisProcess extends RedisServer {

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
		launched(this.configuration);
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

package io.github.resilientsession.testsupport;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;

import io.zonky.test.db.postgres.embedded.EmbeddedPostgres;

/**
 * A PostgreSQL in processes of the embedded binaries.
 */
final class PostgresProcess extends PostgresServer {

	private final Path directory = ServerProcess.temporaryDirectory("resilient-session-postgres");

	private final Thread shutdownHook = new Thread(this::kill);

	private EmbeddedPostgres postgres;

	private boolean paused;

	PostgresProcess() {
		Runtime.getRuntime().addShutdownHook(this.shutdownHook);
		this.postgres = launch(0);
	}

	private EmbeddedPostgres launch(int port) {
		try {
			EmbeddedPostgres.Builder builder = EmbeddedPostgres.builder()
				.setDataDirectory(this.directory.resolve("data"))
				.setCleanDataDirectory(false)
				.setRegisterShutdownHook(false)
				.setPGStartupWait(Duration.ofSeconds(60));
			// The embedded server has these off, and would lose commits when killed.
			Map.of("fsync", "on", "synchronous_commit", "on", "full_page_writes", "on", "max_connections", "300",
					"logging_collector", "on", "log_directory", this.directory.resolve("log").toString(),
					"log_filename", "postgres.log", "log_rotation_age", "0", "log_rotation_size", "0")
				.forEach(builder::setServerConfig);
			// Not in the common place, where a killed server's lock file stays.
			builder.setServerConfig("unix_socket_directories", this.directory.toString());
			if (port != 0) {
				builder.setPort(port);
			}
			return builder.start();
		}
		catch (IOException ex) {
			throw new UncheckedIOException("The embedded PostgreSQL cannot be started", ex);
		}
	}

	private long pid() {
		try {
			return Long.parseLong(Files.readAllLines(this.directory.resolve("data/postmaster.pid")).get(0).trim());
		}
		catch (IOException ex) {
			throw new UncheckedIOException("PostgreSQL does not run", ex);
		}
	}

	@Override
	public Map<Long, Duration> processorTimes() {
		return ServerProcess.processorTimes(pid());
	}

	@Override
	public String host() {
		return "localhost";
	}

	@Override
	public int port() {
		return this.postgres.getPort();
	}

	@Override
	public void kill() {
		this.paused = false;
		if (Files.exists(this.directory.resolve("data/postmaster.pid"))) {
			ServerProcess.kill(pid());
		}
	}

	@Override
	public void pause() {
		this.paused = true;
		ServerProcess.signal(pid(), "STOP");
	}

	@Override
	public void resume() {
		if (this.paused) {
			ServerProcess.signal(pid(), "CONT");
			this.paused = false;
		}
	}

	@Override
	public boolean isRunning() {
		return Files.exists(this.directory.resolve("data/postmaster.pid"))
				&& ProcessHandle.of(pid()).map(ProcessHandle::isAlive).orElse(false);
	}

	@Override
	public void restart() {
		int port = port();
		stop();
		this.postgres = launch(port);
	}

	private void stop() {
		try {
			this.postgres.close();
		}
		catch (IOException ex) {
			throw new UncheckedIOException(ex);
		}
	}

	@Override
	String log() {
		try {
			return Files.readString(this.directory.resolve("log/postgres.log"), StandardCharsets.ISO_8859_1);
		}
		catch (IOException ex) {
			throw new UncheckedIOException(ex);
		}
	}

	@Override
	public void close() {
		stop();
		ServerProcess.deleteDirectory(this.directory);
		try {
			Runtime.getRuntime().removeShutdownHook(this.shutdownHook);
		}
		catch (IllegalStateException ex) {
			// The virtual machine is shutting down already.
		}
	}

}

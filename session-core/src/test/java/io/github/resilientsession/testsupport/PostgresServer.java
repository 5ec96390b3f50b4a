package io.github.resilientsession.testsupport;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;

import javax.sql.DataSource;

import io.zonky.test.db.postgres.embedded.EmbeddedPostgres;
import org.postgresql.ds.PGSimpleDataSource;

/**
 * A real PostgreSQL on a free loopback port, as durable as in production: {@code fsync}
 * and {@code synchronous_commit} are on. Its failures are operations. Not safe for use by
 * many threads.
 */
public abstract class PostgresServer implements AutoCloseable {

	private final AtomicInteger databases = new AtomicInteger();

	/**
	 * Start a PostgreSQL.
	 * @return the server, ready
	 */
	public static PostgresServer start() {
		return Boolean.getBoolean(RedisServer.CONTAINERS) ? new PostgresContainer() : new PostgresProcess();
	}

	public abstract String host();

	public abstract int port();

	/**
	 * Kill all its processes, as a power cut would.
	 */
	public abstract void kill();

	/**
	 * Stop all its processes in their tracks: connections stay, answers do not come.
	 */
	public abstract void pause();

	/**
	 * Let them go on after {@link #pause()}.
	 */
	public abstract void resume();

	/**
	 * Start it again at the same address and with its data, after {@link #kill()}.
	 */
	public abstract void restart();

	public abstract boolean isRunning();

	abstract String log();

	@Override
	public abstract void close();

	public final String username() {
		return "postgres";
	}

	public final String password() {
		return "postgres";
	}

	/**
	 * Create an empty database.
	 * @return its JDBC URL
	 */
	public final String createDatabase() {
		String name = "test" + this.databases.incrementAndGet();
		execute("create database " + name);
		return url(name);
	}

	/**
	 * Run a statement as the superuser.
	 * @param sql the statement
	 */
	public final void execute(String sql) {
		try (Connection connection = dataSource("postgres").getConnection();
				Statement statement = connection.createStatement()) {
			statement.execute(sql);
		}
		catch (SQLException ex) {
			throw new IllegalStateException("PostgreSQL refused: " + sql, ex);
		}
	}

	/**
	 * Ask for a number as the superuser.
	 * @param sql the query
	 * @return the first column of its first row
	 */
	public final long queryForLong(String sql) {
		try (Connection connection = dataSource("postgres").getConnection();
				Statement statement = connection.createStatement();
				ResultSet result = statement.executeQuery(sql)) {
			result.next();
			return result.getLong(1);
		}
		catch (SQLException ex) {
			throw new IllegalStateException("PostgreSQL refused: " + sql, ex);
		}
	}

	/**
	 * Ask a database for a number.
	 * @param url from {@link #createDatabase()}
	 * @param sql the query
	 * @return the first column of its first row
	 */
	public final long queryForLong(String url, String sql) {
		try (Connection connection = DriverManager.getConnection(url, username(), password());
				Statement statement = connection.createStatement();
				ResultSet result = statement.executeQuery(sql)) {
			result.next();
			return result.getLong(1);
		}
		catch (SQLException ex) {
			throw new IllegalStateException("PostgreSQL refused: " + sql, ex);
		}
	}

	/**
	 * Count the statements that the server executes from now on.
	 * @param part what their text contains
	 * @return the count, to be asked
	 */
	public final StatementCount countStatements(String part) {
		execute("alter system set log_statement = 'all'");
		execute("select pg_reload_conf()");
		return new StatementCount(this, part);
	}

	/**
	 * Watch how many connections of an application there are, until closed.
	 * @param applicationName the name that the connections give
	 * @return the watch
	 */
	public final ConnectionWatch watchConnections(String applicationName) {
		return new ConnectionWatch(dataSource("postgres"), applicationName);
	}

	/**
	 * A data source without a pool.
	 * @param database the database's name
	 * @return the data source
	 */
	public final DataSource dataSource(String database) {
		PGSimpleDataSource dataSource = new PGSimpleDataSource();
		dataSource.setUrl(url(database));
		dataSource.setUser(username());
		dataSource.setPassword(password());
		return dataSource;
	}

	private String url(String database) {
		return "jdbc:postgresql://" + host() + ":" + port() + "/" + database;
	}

	/**
	 * Processes of the embedded binaries.
	 */
	private static final class PostgresProcess extends PostgresServer {

		private final Path directory = ServerProcess.temporaryDirectory("resilient-session-postgres");

		private final Thread shutdownHook = new Thread(this::kill);

		private EmbeddedPostgres postgres;

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
		public String host() {
			return "localhost";
		}

		@Override
		public int port() {
			return this.postgres.getPort();
		}

		@Override
		public void kill() {
			if (Files.exists(this.directory.resolve("data/postmaster.pid"))) {
				ServerProcess.kill(pid());
			}
		}

		@Override
		public void pause() {
			ServerProcess.signal(pid(), "STOP");
		}

		@Override
		public void resume() {
			ServerProcess.signal(pid(), "CONT");
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

}

package io.github.resilientsession.testsupport;

import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;

import javax.sql.DataSource;

import org.postgresql.ds.PGSimpleDataSource;

/**
 * A real PostgreSQL on a free loopback port, as durable as in production: {@code fsync}
 * and {@code synchronous_commit} are on. Its failures are operations. Not safe for use by
 * many threads.
 */
public abstract class PostgresServer implements AutoCloseable {

	private static final int WAIT_SECONDS = 30;

	private final AtomicInteger databases = new AtomicInteger();

	private final AtomicInteger marks = new AtomicInteger();

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

	/**
	 * The processor time that the server's processes have taken so far.
	 * @return the times by the processes' ids; none where that cannot be seen
	 */
	public abstract Map<Long, Duration> processorTimes();

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
		execute("postgres", sql);
	}

	/**
	 * Run a statement in a database.
	 * @param database the database's name
	 * @param sql the statement
	 */
	public final void execute(String database, String sql) {
		try (Connection connection = dataSource(database).getConnection();
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
		return queryForLong("postgres", sql);
	}

	/**
	 * Ask a database for a number.
	 * @param database the database's name
	 * @param sql the query
	 * @return the first column of its first row
	 */
	public final long queryForLong(String database, String sql) {
		try (Connection connection = dataSource(database).getConnection();
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
	 * Terminate the connections of all clients, as an administrator does.
	 */
	public final void terminateConnections() {
		execute("select pg_terminate_backend(pid) from pg_stat_activity where backend_type = 'client backend' "
				+ "and pid <> pg_backend_pid()");
	}

	/**
	 * Hold the lock of a row in a transaction that does not end.
	 * @param url the database, from {@link #createDatabase()}
	 * @param table the row's table
	 * @param condition what is true for the row
	 * @return the lock
	 */
	public final Fault lockRow(String url, String table, String condition) {
		try {
			Connection connection = dataSource(database(url)).getConnection();
			connection.setAutoCommit(false);
			try (Statement statement = connection.createStatement();
					ResultSet row = statement
						.executeQuery("select 1 from " + table + " where " + condition + " for update")) {
				if (!row.next()) {
					throw new IllegalStateException("There is no row in " + table + " where " + condition);
				}
			}
			return abortingWhenClosed(connection);
		}
		catch (SQLException ex) {
			throw new IllegalStateException("The row cannot be locked", ex);
		}
	}

	private static Fault abortingWhenClosed(Connection connection) {
		return () -> {
			try {
				connection.close();
			}
			catch (SQLException ex) {
				throw new IllegalStateException("The lock is not released", ex);
			}
		};
	}

	/**
	 * Fail each statement that writes to a table, as a full disk does; reads go on.
	 * @param url the database, from {@link #createDatabase()}
	 * @param table the table
	 * @param sqlState the error's code, for example 53100 for a full disk
	 * @return the fault
	 */
	public final Fault refuseWrites(String url, String table, String sqlState) {
		String database = database(url);
		execute(database,
				("create or replace function refuse() returns trigger language plpgsql as $$ begin "
						+ "raise exception 'refused by the test' using errcode = '%s'; end $$; "
						+ "create trigger refuse before insert or update or delete on %s execute function refuse()")
					.formatted(sqlState, table));
		return () -> execute(database, "drop trigger refuse on " + table);
	}

	/**
	 * Let transactions of a database only read, as on a standby, beginning with new
	 * connections; those that are there are terminated.
	 * @param url the database, from {@link #createDatabase()}
	 * @return the fault; when it ends, connections are terminated likewise
	 */
	public final Fault readOnly(String url) {
		String alter = "alter database " + database(url);
		execute(alter + " set default_transaction_read_only = on");
		terminateConnections();
		return () -> {
			execute(alter + " reset default_transaction_read_only");
			terminateConnections();
		};
	}

	/**
	 * Count the statements that the server executes from now on.
	 * @param part what their text contains
	 * @return the count, to be asked
	 */
	public final StatementCount countStatements(String part) {
		execute("alter system set log_statement = 'all'");
		execute("select pg_reload_conf()");
		// A connection that is new has what the server has told those that are there.
		ServerProcess.await("The setting of the log", () -> queryForLong(
				"select count(*) from pg_settings where name = 'log_statement' and setting = 'all'") == 1);
		return new StatementCount(this, part);
	}

	/**
	 * The log with all that has happened so far: it is written a little later.
	 */
	final String completeLog() {
		String mark = "complete up to " + this.marks.incrementAndGet();
		execute("do $$ begin raise log '" + mark + "'; end $$");
		ServerProcess.await("The log", () -> log().contains("LOG:  " + mark));
		return log();
	}

	/**
	 * Log by which plan each statement of a database is executed, on connections that are
	 * made from now on.
	 * @param url the database, from {@link #createDatabase()}
	 * @return the plans, to be asked
	 */
	public final ExecutedPlans explainStatements(String url) {
		String alter = "alter database " + database(url);
		execute(alter + " set session_preload_libraries = 'auto_explain'");
		execute(alter + " set auto_explain.log_min_duration = 0");
		execute(alter + " set auto_explain.log_analyze = on");
		return new ExecutedPlans(this);
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
		// A test must fail, not hang, on a server that it has left paused.
		dataSource.setConnectTimeout(WAIT_SECONDS);
		dataSource.setSocketTimeout(WAIT_SECONDS);
		return dataSource;
	}

	/**
	 * The name of a database.
	 * @param url from {@link #createDatabase()}
	 * @return the name
	 */
	public static String database(String url) {
		return url.substring(url.lastIndexOf('/') + 1);
	}

	private String url(String database) {
		return "jdbc:postgresql://" + host() + ":" + port() + "/" + database;
	}

}

package io.github.resilientsession.durable;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.SQLFeatureNotSupportedException;
import java.sql.SQLTimeoutException;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.Future;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;

import javax.sql.DataSource;

import org.jspecify.annotations.Nullable;

import org.springframework.jdbc.datasource.DelegatingDataSource;
import org.springframework.jdbc.datasource.TransactionAwareDataSourceProxy;

/**
 * Gives connections on which nothing waits longer than a time limit, even on a database
 * that hangs: a query time-out needs the server's help, a network time-out does not. What
 * it took to get the connection is taken off the limit, and so is what its earlier
 * statements took. A network time-out is about what is read: a connection on which it is
 * still written after twice the limit is aborted. The connection is handed back as it
 * was. Being an object of its own, it also never shares a connection that an
 * application's transaction has bound to the thread.
 */
final class TimeLimitedDataSource extends DelegatingDataSource implements AutoCloseable {

	/**
	 * What comes before a wait for the server.
	 */
	private static final Set<String> BEFORE_A_WAIT = Set.of("prepareStatement", "createStatement", "commit",
			"rollback");

	private final Duration limit;

	private final ScheduledThreadPoolExecutor watch;

	TimeLimitedDataSource(DataSource target, Duration limit) {
		super(outsideTransactions(target));
		this.limit = limit;
		this.watch = new ScheduledThreadPoolExecutor(1, (task) -> {
			Thread thread = new Thread(task, "resilient-session-connection-watch");
			thread.setDaemon(true);
			return thread;
		});
		this.watch.setRemoveOnCancelPolicy(true);
		this.watch.setExecuteExistingDelayedTasksAfterShutdownPolicy(false);
	}

	/**
	 * A transaction-aware proxy would take part in the application's transaction.
	 */
	private static DataSource outsideTransactions(DataSource dataSource) {
		if (dataSource instanceof TransactionAwareDataSourceProxy proxy) {
			DataSource target = proxy.getTargetDataSource();
			return (target != null) ? outsideTransactions(target) : dataSource;
		}
		return dataSource;
	}

	@Override
	public Connection getConnection() throws SQLException {
		long deadline = System.nanoTime() + this.limit.toNanos();
		Connection connection = super.getConnection();
		try {
			if (System.nanoTime() - deadline >= 0) {
				throw new SQLTimeoutException("Getting a connection took longer than " + this.limit.toMillis() + " ms");
			}
			return limited(connection, deadline);
		}
		catch (SQLException | RuntimeException ex) {
			connection.close();
			throw ex;
		}
	}

	private Connection limited(Connection connection, long deadline) throws SQLException {
		boolean autoCommit = connection.getAutoCommit();
		int networkTimeout = networkTimeout(connection);
		limit(connection, networkTimeout, deadline);
		Future<?> abortion = (networkTimeout >= 0) ? abortLater(connection) : null;
		if (!autoCommit) {
			connection.setAutoCommit(true);
		}
		return (Connection) Proxy.newProxyInstance(TimeLimitedDataSource.class.getClassLoader(),
				new Class<?>[] { Connection.class }, (proxy, method, args) -> {
					if (BEFORE_A_WAIT.contains(method.getName()) && !connection.isClosed()) {
						limit(connection, networkTimeout, deadline);
					}
					if (method.getName().equals("close") && abortion != null) {
						abortion.cancel(false);
					}
					if (method.getName().equals("close") && !connection.isClosed()) {
						restore(connection, autoCommit, networkTimeout);
					}
					try {
						return method.invoke(connection, args);
					}
					catch (InvocationTargetException ex) {
						throw ex.getCause();
					}
				});
	}

	private @Nullable Future<?> abortLater(Connection connection) {
		try {
			return this.watch.schedule(() -> {
				connection.abort(Runnable::run);
				return true;
			}, this.limit.multipliedBy(2).toNanos(), TimeUnit.NANOSECONDS);
		}
		catch (RejectedExecutionException ex) {
			// Closed: the last statements are limited as far as they wait to read.
			return null;
		}
	}

	@Override
	public void close() {
		this.watch.shutdown();
	}

	private static void limit(Connection connection, int networkTimeout, long deadline) throws SQLException {
		if (networkTimeout >= 0) {
			// Never 0, which would mean to wait forever.
			long left = Math.max(1, TimeUnit.NANOSECONDS.toMillis(deadline - System.nanoTime()));
			connection.setNetworkTimeout(Runnable::run, (int) Math.min(left, Integer.MAX_VALUE));
		}
	}

	/**
	 * The network time-out, or a negative number if the driver has none.
	 */
	private static int networkTimeout(Connection connection) throws SQLException {
		try {
			return connection.getNetworkTimeout();
		}
		catch (SQLFeatureNotSupportedException ex) {
			return -1;
		}
	}

	private static void restore(Connection connection, boolean autoCommit, int networkTimeout) {
		try {
			if (networkTimeout >= 0) {
				connection.setNetworkTimeout(Runnable::run, networkTimeout);
			}
			if (!autoCommit) {
				connection.setAutoCommit(false);
			}
		}
		catch (SQLException ex) {
			// A broken connection: closing it is all that is left, and the pool sees it.
		}
	}

}

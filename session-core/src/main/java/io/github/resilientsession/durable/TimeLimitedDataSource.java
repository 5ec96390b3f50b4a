package io.github.resilientsession.durable;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.SQLFeatureNotSupportedException;
import java.sql.SQLTimeoutException;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;

import javax.sql.DataSource;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

import org.springframework.jdbc.datasource.DelegatingDataSource;
import org.springframework.jdbc.datasource.TransactionAwareDataSourceProxy;

/**
 * Gives connections on which nothing waits longer than a time limit, even on a database
 * that hangs: a query time-out needs the server's help, a network time-out does not. What
 * it took to get the connection is taken off the limit, and so is what its earlier
 * statements took. A network time-out is about what is read: a connection on which it is
 * still written after twice the limit is aborted soon. The connection is handed back as
 * it was. Being an object of its own, it also never shares a connection that an
 * application's transaction has bound to the thread.
 */
final class TimeLimitedDataSource extends DelegatingDataSource implements AutoCloseable {

	/**
	 * What comes before a wait for the server.
	 */
	private static final Set<String> BEFORE_A_WAIT = Set.of("prepareStatement", "createStatement", "commit",
			"rollback");

	private static final Logger logger = LoggerFactory.getLogger(TimeLimitedDataSource.class);

	private final Duration limit;

	private final CountDownLatch closed = new CountDownLatch(1);

	private final Set<Lent> allLent = ConcurrentHashMap.newKeySet();

	private final AtomicBoolean watched = new AtomicBoolean();

	TimeLimitedDataSource(DataSource target, Duration limit) {
		super(outsideTransactions(target));
		this.limit = limit;
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
		catch (SQLException | RuntimeException | Error ex) {
			connection.close();
			throw ex;
		}
	}

	private Connection limited(Connection connection, long deadline) throws SQLException {
		boolean autoCommit = connection.getAutoCommit();
		int networkTimeout = networkTimeout(connection);
		limit(connection, networkTimeout, deadline);
		Lent lent = (networkTimeout >= 0) ? new Lent(connection, deadline + this.limit.toNanos()) : null;
		if (lent != null) {
			startWatch();
			this.allLent.add(lent);
		}
		if (!autoCommit) {
			connection.setAutoCommit(true);
		}
		return (Connection) Proxy.newProxyInstance(TimeLimitedDataSource.class.getClassLoader(),
				new Class<?>[] { Connection.class }, (proxy, method, args) -> {
					if (BEFORE_A_WAIT.contains(method.getName()) && !connection.isClosed()) {
						limit(connection, networkTimeout, deadline);
					}
					if (method.getName().equals("close") && lent != null) {
						lent.handBack();
						this.allLent.remove(lent);
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

	private void startWatch() {
		if (!this.watched.compareAndSet(false, true)) {
			return;
		}
		try {
			start(this::watch, "resilient-session-connection-watch");
		}
		// There may be a thread to be had for the next connection.
		catch (Error ex) {
			this.watched.set(false);
			throw ex;
		}
	}

	private static void start(Runnable task, String name) {
		Thread thread = new Thread(task, name);
		thread.setDaemon(true);
		thread.start();
	}

	/**
	 * One look at all from time to time costs less than a timer for each.
	 */
	private void watch() {
		try {
			while (!this.closed.await(this.limit.toNanos() / 4, TimeUnit.NANOSECONDS)) {
				abortOverdue();
			}
		}
		catch (InterruptedException ex) {
			Thread.currentThread().interrupt();
		}
	}

	private void abortOverdue() {
		try {
			long now = System.nanoTime();
			this.allLent.removeIf((lent) -> {
				boolean overdue = now - lent.due >= 0;
				if (overdue) {
					// Closing a socket with TLS may wait for the write that is blocked:
					// no other connection is to wait for that.
					start(lent::abort, "resilient-session-connection-abort");
				}
				return overdue;
			});
		}
		// Also an Error: without this thread a blocked write would wait forever.
		catch (RuntimeException | Error ex) {
			logger.warn("Connections that are written on for too long could not be aborted, and are looked at again",
					ex);
		}
	}

	/**
	 * From then on, the last statements are limited only as far as they wait to read.
	 */
	@Override
	public void close() {
		this.closed.countDown();
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

	/**
	 * A connection that is in use. Two are never equal. Aborted or handed back, never the
	 * one after the other: by then it may be in use by somebody else.
	 */
	private static final class Lent {

		private final Connection connection;

		/**
		 * When to abort it, by {@link System#nanoTime()}.
		 */
		private final long due;

		private boolean handedBack;

		Lent(Connection connection, long due) {
			this.connection = connection;
			this.due = due;
		}

		synchronized void handBack() {
			this.handedBack = true;
		}

		synchronized void abort() {
			if (this.handedBack) {
				return;
			}
			try {
				this.connection.abort(Runnable::run);
			}
			catch (SQLException | RuntimeException ex) {
				logger.debug("A connection that is written on for too long could not be aborted", ex);
			}
		}

	}

}

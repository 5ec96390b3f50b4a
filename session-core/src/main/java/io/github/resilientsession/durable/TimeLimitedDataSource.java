package io.github.resilientsession.durable;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.SQLFeatureNotSupportedException;
import java.sql.SQLTimeoutException;
import java.time.Duration;

import javax.sql.DataSource;

import org.springframework.jdbc.datasource.DelegatingDataSource;

/**
 * Gives connections on which nothing waits longer than a time limit, even on a database
 * that hangs: a query time-out needs the server's help, a network time-out does not. What
 * it took to get the connection is taken off the limit. The connection is handed back as
 * it was. Being an object of its own, it also never shares a connection that an
 * application's transaction has bound to the thread.
 */
final class TimeLimitedDataSource extends DelegatingDataSource {

	private final Duration limit;

	TimeLimitedDataSource(DataSource target, Duration limit) {
		super(target);
		this.limit = limit;
	}

	@Override
	public Connection getConnection() throws SQLException {
		long start = System.nanoTime();
		Connection connection = super.getConnection();
		try {
			long left = this.limit.toMillis() - (System.nanoTime() - start) / 1_000_000;
			if (left <= 0) {
				throw new SQLTimeoutException("Getting a connection took longer than " + this.limit.toMillis() + " ms");
			}
			return limited(connection, (int) left);
		}
		catch (SQLException | RuntimeException ex) {
			connection.close();
			throw ex;
		}
	}

	private static Connection limited(Connection connection, int millis) throws SQLException {
		boolean autoCommit = connection.getAutoCommit();
		int networkTimeout = networkTimeout(connection);
		if (!autoCommit) {
			connection.setAutoCommit(true);
		}
		if (networkTimeout >= 0) {
			connection.setNetworkTimeout(Runnable::run, millis);
		}
		return (Connection) Proxy.newProxyInstance(TimeLimitedDataSource.class.getClassLoader(),
				new Class<?>[] { Connection.class }, (proxy, method, args) -> {
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

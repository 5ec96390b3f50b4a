package io.github.resilientsession.testsupport;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

import javax.sql.DataSource;

/**
 * Watches, on a connection of its own, how many connections of an application a
 * PostgreSQL has at once.
 */
public final class ConnectionWatch implements AutoCloseable {

	private static final String COUNT = "select count(*), count(*) filter (where state = 'active') "
			+ "from pg_stat_activity where application_name = ?";

	private final CountDownLatch closed = new CountDownLatch(1);

	private final Thread thread;

	private volatile int peak;

	private volatile int peakActive;

	private volatile SQLException failure;

	ConnectionWatch(DataSource dataSource, String applicationName) {
		this.thread = new Thread(() -> watch(dataSource, applicationName), "connection-watch");
		this.thread.setDaemon(true);
		this.thread.start();
	}

	private void watch(DataSource dataSource, String applicationName) {
		try (Connection connection = dataSource.getConnection();
				PreparedStatement count = connection.prepareStatement(COUNT)) {
			count.setString(1, applicationName);
			do {
				try (ResultSet result = count.executeQuery()) {
					result.next();
					this.peak = Math.max(this.peak, result.getInt(1));
					this.peakActive = Math.max(this.peakActive, result.getInt(2));
				}
			}
			while (!this.closed.await(2, TimeUnit.MILLISECONDS));
		}
		catch (SQLException ex) {
			this.failure = ex;
		}
		catch (InterruptedException ex) {
			Thread.currentThread().interrupt();
		}
	}

	/**
	 * The most connections seen at once.
	 * @return the number
	 */
	public int peak() {
		if (this.failure != null) {
			throw new IllegalStateException("The watch failed", this.failure);
		}
		return this.peak;
	}

	/**
	 * The most connections seen executing a statement at once.
	 * @return the number
	 */
	public int peakActive() {
		peak();
		return this.peakActive;
	}

	/**
	 * The most connections seen executing a statement at once since the last call.
	 * @return the number
	 */
	public int takePeakActive() {
		int taken = peakActive();
		this.peakActive = 0;
		return taken;
	}

	@Override
	public void close() throws InterruptedException {
		this.closed.countDown();
		this.thread.join(5_000);
	}

}

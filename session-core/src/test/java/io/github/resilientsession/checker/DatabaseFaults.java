package io.github.resilientsession.checker;

import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

import io.github.resilientsession.SessionNode;

/**
 * The faults of a database.
 */
final class DatabaseFaults {

	private final Cluster cluster;

	DatabaseFaults(Cluster cluster) {
		this.cluster = cluster;
	}

	/**
	 * A fault, or {@code null} if it is none of the database.
	 */
	Fault of(FaultKind kind) {
		return switch (kind) {
			case DATABASE_KILLED ->
				RedisFaults.fault((over) -> this.cluster.database().kill(), () -> this.cluster.database().restart());
			case DATABASE_HUNG ->
				RedisFaults.fault((over) -> this.cluster.database().pause(), () -> this.cluster.database().resume());
			case DATABASE_CONNECTIONS_TERMINATED -> RedisFaults.fault(this::terminate, () -> {
			});
			case DATABASE_ROWS_LOCKED -> new RowLocks();
			case DATABASE_DISK_FULL -> RedisFaults.fault((over) -> fillDisk(),
					() -> execute("drop trigger if exists disk_full on resilient_session"));
			case DATABASE_READ_ONLY -> RedisFaults.fault((over) -> setReadOnly("on"), () -> setReadOnly("off"));
			default -> null;
		};
	}

	private void terminate(CountDownLatch over) throws InterruptedException {
		do {
			this.cluster.database()
				.execute("select pg_terminate_backend(pid) from pg_stat_activity where application_name = '"
						+ SessionNode.APPLICATION_NAME + "'");
		}
		while (!over.await(300, TimeUnit.MILLISECONDS));
	}

	private void fillDisk() throws SQLException {
		execute("""
				create or replace function disk_full() returns trigger language plpgsql as $$
				begin raise exception 'no space left on device' using errcode = '53100'; end $$""",
				"create trigger disk_full before insert or update on resilient_session "
						+ "for each row execute function disk_full()");
	}

	private void setReadOnly(String value) {
		this.cluster.database().execute("alter system set default_transaction_read_only = " + value);
		this.cluster.database().execute("select pg_reload_conf()");
	}

	private void execute(String... statements) throws SQLException {
		try (Connection connection = connect(); Statement statement = connection.createStatement()) {
			// A hung node may hold a lock on the table, and nobody may wait behind us.
			statement.execute("set lock_timeout = '3s'");
			for (String sql : statements) {
				statement.execute(sql);
			}
		}
	}

	/**
	 * Also while the other fault is that the database takes no writes.
	 */
	private Connection connect() throws SQLException {
		Connection connection = this.cluster.database().dataSource(this.cluster.databaseName()).getConnection();
		try (Statement statement = connection.createStatement()) {
			statement.execute("set default_transaction_read_only = off");
		}
		return connection;
	}

	/**
	 * Locks on some rows that somebody holds.
	 */
	private final class RowLocks implements Fault {

		private Connection connection;

		@Override
		public void inject(CountDownLatch over) throws Exception {
			this.connection = connect();
			this.connection.setAutoCommit(false);
			try (Statement statement = this.connection.createStatement()) {
				statement.execute(
						"select 1 from resilient_session where state = 0 order by last_accessed_at desc limit 8 for update");
			}
		}

		@Override
		public void heal() throws Exception {
			if (this.connection != null) {
				try (Connection ending = this.connection) {
					ending.rollback();
				}
			}
		}

	}

}

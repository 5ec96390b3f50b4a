package io.github.resilientsession.testsupport;

import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;

import javax.sql.DataSource;

import org.junit.jupiter.api.Test;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.awaitility.Awaitility.await;

class PostgresServerTests {

	@Test
	void committedRow_survivesKill9_andStatementsAndConnectionsAreCounted() throws Exception {
		try (PostgresServer postgres = PostgresServer.start()) {
			assertThat(postgres.queryForLong("select count(*) from pg_settings where name in ('fsync', "
					+ "'synchronous_commit', 'full_page_writes') and setting = 'on'"))
				.isEqualTo(3);
			postgres.execute("create table kept (number int)");
			StatementCount count = postgres.countStatements("insert into kept");
			try (ConnectionWatch watch = postgres.watchConnections("PostgreSQL JDBC Driver")) {
				postgres.execute("insert into kept values (1)");
				postgres.execute("insert into kept values (2)");
				await().untilAsserted(() -> assertThat(watch.peak()).isPositive());
			}
			await().untilAsserted(() -> assertThat(count.count()).isEqualTo(2));
			postgres.kill();
			postgres.restart();
			assertThat(postgres.queryForLong("select count(*) from kept")).isEqualTo(2);
			postgres.pause();
			postgres.resume();
			assertThat(postgres.queryForLong("select count(*) from kept")).isEqualTo(2);
		}
	}

	@Test
	void faults_failWhatTheySay_andEndWhenClosed() throws Exception {
		try (PostgresServer postgres = PostgresServer.start()) {
			String url = postgres.createDatabase();
			DataSource database = postgres.dataSource(PostgresServer.database(url));
			try (Connection connection = database.getConnection(); Statement statement = connection.createStatement()) {
				statement.execute("create table kept (number int)");
				statement.execute("insert into kept values (1)");
				try (Fault full = postgres.refuseWrites(url, "kept", "53100")) {
					assertThatExceptionOfType(SQLException.class)
						.isThrownBy(() -> statement.execute("insert into kept values (2)"))
						.satisfies((ex) -> assertThat(ex.getSQLState()).isEqualTo("53100"));
				}
				try (Fault lock = postgres.lockRow(url, "kept", "number = 1")) {
					statement.execute("set lock_timeout = 100");
					assertThatExceptionOfType(SQLException.class)
						.isThrownBy(() -> statement.execute("update kept set number = 2"))
						.satisfies((ex) -> assertThat(ex.getSQLState()).isEqualTo("55P03"));
				}
				statement.execute("update kept set number = 2");
				postgres.terminateConnections();
				assertThatExceptionOfType(SQLException.class).isThrownBy(() -> statement.execute("select 1"));
			}
			try (Fault readOnly = postgres.readOnly(url);
					Connection connection = database.getConnection();
					Statement statement = connection.createStatement()) {
				assertThatExceptionOfType(SQLException.class)
					.isThrownBy(() -> statement.execute("insert into kept values (3)"))
					.satisfies((ex) -> assertThat(ex.getSQLState()).isEqualTo("25006"));
			}
			try (Connection connection = database.getConnection(); Statement statement = connection.createStatement()) {
				statement.execute("insert into kept values (3)");
			}
			assertThat(postgres.queryForLong(PostgresServer.database(url), "select sum(number) from kept"))
				.isEqualTo(5);
		}
	}

}

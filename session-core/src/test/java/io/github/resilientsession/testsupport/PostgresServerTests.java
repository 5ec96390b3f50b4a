package io.github.resilientsession.testsupport;

import org.junit.jupiter.api.Test;

import static org.assertj.core.api.Assertions.assertThat;
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

}

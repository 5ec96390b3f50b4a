package io.github.resilientsession.durable;

import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;

import com.zaxxer.hikari.HikariDataSource;
import io.github.resilientsession.codec.AttributesPayload;
import io.github.resilientsession.record.SessionChange;
import io.github.resilientsession.record.SessionRecord;
import io.github.resilientsession.record.SessionStoreListener;
import io.github.resilientsession.testsupport.ExecutedPlans;
import io.github.resilientsession.testsupport.PostgresServer;
import io.github.resilientsession.testsupport.RealServers;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * By which plans PostgreSQL executes the library's statements, as it has logged them
 * itself.
 */
@RealServers
class QueryPlanTests {

	private static final int ROWS = 50_000;

	/**
	 * PostgreSQL makes a plan for each of the first executions, the driver prepares at
	 * the server after some, and then PostgreSQL may take one plan for all of them.
	 */
	private static final int EXECUTIONS = 12;

	private static final String FILL = """
			insert into resilient_session select 's' || n, 1, case when n %% 3 = 0 then 'user' || n %% 5000 end,
			%1$d, %1$d - n * 100, 1800, %1$d - n * 100 + 1800000, '\\x%3$s', case when n %% 20 = 0 then 1 else 0 end,
			n %% 5000 = 0, null, null from generate_series(1, %2$d) n;
			insert into resilient_session select 'ended' || n, 1, null, %1$d, %1$d, 1800, %1$d + (n %% 2 * 2 - 1) * 86400000,
			'', 1, false, null, null from generate_series(1, %2$d) n""";

	private final PostgresServer server;

	QueryPlanTests(PostgresServer server) {
		this.server = server;
	}

	/**
	 * A table that was just filled has no statistics yet.
	 */
	@ParameterizedTest
	@ValueSource(booleans = { true, false })
	void noStatement_readsTheWholeTableOfSessions(boolean analyzed) {
		String url = this.server.createDatabase();
		ExecutedPlans plans = this.server.explainStatements(url);
		try (HikariDataSource pool = pool(url);
				DurableTier tier = new DurableTier(pool,
						new DurableSettings(Duration.ofSeconds(5), Duration.ofSeconds(30), Platform.POSTGRESQL),
						Clock.systemUTC(), SessionStoreListener.NO_OP)) {
			tier.initializeSchema();
			this.server.execute(PostgresServer.database(url), FILL.formatted(System.currentTimeMillis(), ROWS,
					HexFormat.of().formatHex(AttributesPayload.encode(Map.of()))));
			this.server.execute(PostgresServer.database(url),
					analyzed ? "analyze" : "alter table resilient_session set (autovacuum_enabled = off)");
			for (int i = 0; i < EXECUTIONS; i++) {
				callEverything(tier, i);
			}
		}
		assertThat(plans.of("Query Text: update resilient_session")).hasSizeGreaterThan(EXECUTIONS);
		assertThat(plans.of("order by")).hasSizeGreaterThan(2 * EXECUTIONS);
		assertThat(plans.of("Index Scan using resilient_session_pkey")).hasSizeGreaterThan(6 * EXECUTIONS);
		assertThat(plans.of("Index Scan using resilient_session_state_expires_at")).hasSizeGreaterThan(EXECUTIONS);
		assertThat(plans.of("Index Scan using resilient_session_redis_pending")).hasSizeGreaterThan(EXECUTIONS / 2);
		assertThat(plans.of("resilient_session_principal_name")).hasSizeGreaterThan(EXECUTIONS / 2);
		assertThat(plans.of("order by")).as("In the order of an index, and no further than asked for")
			.noneSatisfy((plan) -> assertThat(plan).contains("Sort Key"));
		assertThat(plans.of("order by")).as("Nor past rows that have ended")
			.noneSatisfy((plan) -> assertThat(plan).containsPattern("Rows Removed by Filter: \\d{4}"));
		assertThat(plans.of("Seq Scan on resilient_session ")).allSatisfy(
				(plan) -> assertThat(plan).as("Only what fills the table, asks for the time, or gathers statistics")
					.contains("One-Time Filter: false"));
	}

	private static void callEverything(DurableTier tier, int i) {
		Instant now = Instant.now();
		SessionRecord next = new SessionRecord("s" + (1_001 + i * 20), 2, now, now, Duration.ofMinutes(30), null,
				Map.of());
		List<String> ids = List.of("s1", "s2", "s" + (500 + i), "none");
		tier.load(ids);
		tier.loadForMerge("s7");
		tier.versions(ids);
		tier.insert(record("new" + i, 1, now), false, null);
		tier.update(next, 1, null, false, null);
		tier.update(next.withVersion(3), 2, new SessionChange.Principal("alice"), false, "token");
		tier.changeId("s" + (3_001 + i * 20), 1, record("changed" + i, 2, now), false, null);
		tier.insertChanged("unknown" + i, Duration.ofHours(1), record("other" + i, 1, now), false, null);
		tier.end("s" + (5_001 + i * 20), false, Duration.ofHours(1));
		tier.end("nobody" + i, false, Duration.ofHours(1));
		tier.touch(List.of(new Touch("s11", now), new Touch("s" + (6_001 + i), now)));
		tier.markPending("s" + (7_001 + i));
		List<PendingRow> pending = tier.pending("", 5);
		tier.settled(pending);
		tier.findByPrincipalName("user" + (3 + i));
		tier.findExpired(now, 5).forEach((session) -> tier.expire(session, now));
		tier.purge(now.plus(Duration.ofDays(1)), 5);
		RecentPage page = tier.findRecent(null, 100);
		tier.findRecent(page.next(), 100);
		tier.acquireLease("plans", "owner" + i, Duration.ofSeconds(1));
		tier.releaseLease("plans", "owner" + i);
		tier.probe();
	}

	private static SessionRecord record(String id, long version, Instant now) {
		return new SessionRecord(id, version, now, now, Duration.ofMinutes(30), "alice", Map.of());
	}

	private HikariDataSource pool(String url) {
		HikariDataSource pool = new HikariDataSource();
		pool.setJdbcUrl(url);
		pool.setUsername(this.server.username());
		pool.setPassword(this.server.password());
		pool.setMaximumPoolSize(2);
		return pool;
	}

}

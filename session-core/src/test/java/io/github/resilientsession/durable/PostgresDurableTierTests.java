package io.github.resilientsession.durable;

import java.io.IOException;
import java.net.ServerSocket;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Clock;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;

import com.zaxxer.hikari.HikariDataSource;
import io.github.resilientsession.record.SessionRecord;
import io.github.resilientsession.record.SessionStoreListener;
import io.github.resilientsession.testsupport.PostgresServer;
import io.github.resilientsession.testsupport.RealServers;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

import org.springframework.dao.DataAccessException;
import org.springframework.transaction.TransactionException;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.awaitility.Awaitility.await;

@RealServers
class PostgresDurableTierTests extends DurableTierTests {

	private final PostgresServer server;

	PostgresDurableTierTests(PostgresServer server) {
		super(pool(server), Platform.POSTGRESQL);
		this.server = server;
	}

	@Test
	@Timeout(30)
	void initializeSchema_ofTablesThatAreThere_waitsForNobodyWhoWrites() throws Exception {
		try (HikariDataSource pool = copyOfPool();
				Connection writer = pool.getConnection();
				Statement statement = writer.createStatement()) {
			writer.setAutoCommit(false);
			statement.execute("update resilient_session set version = version");
			tier().initializeSchema();
		}
	}

	@Test
	void everyCall_whenTheDatabaseHangs_failsWithinTheTimeLimit() {
		Map<String, Runnable> calls = new LinkedHashMap<>();
		Map<String, byte[]> large = Map.of("a", random(1024 * 1024));
		try (HikariDataSource pool = copyOfPool();
				DurableTier limited = new DurableTier(pool,
						new DurableSettings(Duration.ofMillis(500), Duration.ZERO, Platform.POSTGRESQL),
						Clock.systemUTC(), SessionStoreListener.NO_OP)) {
			calls.put("load", () -> limited.load(List.of("s")));
			calls.put("insert", () -> limited.insert(session("t", 1), false, null));
			calls.put("update", () -> limited.update(session("s", 2), 1, null, false, null));
			SessionRecord base = session("s", 2);
			calls.put("large update", () -> limited.update(new SessionRecord("s", 2, base.creationTime(),
					base.lastAccessedTime(), base.maxInactiveInterval(), null, large), 1, null, false, null));
			Map<String, byte[]> huge = Map.of("a", random(32 * 1024 * 1024));
			calls.put("update that cannot be sent", () -> limited.update(new SessionRecord("s", 2, base.creationTime(),
					base.lastAccessedTime(), base.maxInactiveInterval(), null, huge), 1, null, false, null));
			calls.put("end", () -> limited.end("s", false, Duration.ofMinutes(30)));
			calls.put("changeId", () -> limited.changeId("s", 1, session("u", 2), false, null));
			calls.put("touch", () -> limited.touch(List.of(new Touch("s", base.lastAccessedTime()))));
			calls.put("pending", () -> limited.pending("", 10));
			calls.put("markPending", () -> limited.markPending("s"));
			calls.put("settled", () -> limited.settled(List.of(new PendingRow("s", 1, null, true))));
			calls.put("findByPrincipalName", () -> limited.findByPrincipalName("alice"));
			calls.put("versions", () -> limited.versions(List.of("s")));
			calls.put("findExpired", () -> limited.findExpired(base.expiresAt(), 10));
			calls.put("purge", () -> limited.purge(base.expiresAt(), 10));
			calls.put("acquireLease", () -> limited.acquireLease("work", "a", Duration.ofHours(1)));
			calls.put("probe", limited::probe);
			calls.forEach((name, call) -> {
				limited.probe();
				this.server.pause();
				try {
					CompletableFuture<?> running = CompletableFuture.runAsync(call);
					// For a batch that times out, the driver fails an assertion if those
					// are on.
					assertThatCode(() -> running.get(20, TimeUnit.SECONDS)).as(name)
						.isInstanceOf(ExecutionException.class)
						.cause()
						.isInstanceOfAny(DataAccessException.class, TransactionException.class, AssertionError.class);
				}
				finally {
					this.server.resume();
				}
				await().atMost(Duration.ofSeconds(30)).until(() -> reaches(limited));
			});
		}
	}

	@Test
	void statementsOnOneConnection_shareTheTimeLimit() throws SQLException {
		try (HikariDataSource pool = copyOfPool()) {
			TimeLimitedDataSource limited = new TimeLimitedDataSource(pool, Duration.ofSeconds(2));
			try (Connection connection = limited.getConnection(); Statement sleep = connection.createStatement()) {
				sleep.execute("select pg_sleep(1.2)");
				assertThatExceptionOfType(SQLException.class).isThrownBy(() -> {
					try (PreparedStatement more = connection.prepareStatement("select pg_sleep(1.2)")) {
						more.execute();
					}
				});
			}
			try (Connection connection = pool.getConnection()) {
				assertThat(connection.getNetworkTimeout()).isZero();
			}
		}
	}

	@Test
	void aTierWhoseDatabaseIsDown_opens_andEveryCallFails() throws IOException {
		try (HikariDataSource pool = new HikariDataSource()) {
			pool.setJdbcUrl("jdbc:postgresql://localhost:" + closedPort() + "/test");
			pool.setConnectionTimeout(250);
			pool.setInitializationFailTimeout(-1);
			try (DurableTier down = new DurableTier(pool, settings(Platform.POSTGRESQL), Clock.systemUTC(),
					SessionStoreListener.NO_OP)) {
				assertThat(reaches(down)).isFalse();
				assertThatExceptionOfType(DataAccessException.class).isThrownBy(() -> down.load(List.of("s")));
				assertThatExceptionOfType(TransactionException.class).isThrownBy(() -> down.pending("", 1));
			}
		}
	}

	private static int closedPort() throws IOException {
		try (ServerSocket socket = new ServerSocket(0)) {
			return socket.getLocalPort();
		}
	}

	private static boolean reaches(DurableTier tier) {
		try {
			tier.probe();
			return true;
		}
		catch (RuntimeException ex) {
			return false;
		}
	}

	private static byte[] random(int size) {
		byte[] bytes = new byte[size];
		new Random(1).nextBytes(bytes);
		return bytes;
	}

	private static HikariDataSource pool(PostgresServer server) {
		HikariDataSource pool = new HikariDataSource();
		pool.setJdbcUrl(server.createDatabase());
		pool.setUsername(server.username());
		pool.setPassword(server.password());
		pool.setMaximumPoolSize(6);
		pool.setMinimumIdle(1);
		pool.setConnectionTimeout(1000);
		pool.setValidationTimeout(250);
		return pool;
	}

}

package io.github.resilientsession.autoconfigure;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;

import io.github.resilientsession.ResilientSession;
import io.github.resilientsession.ResilientSessionRepository;
import io.github.resilientsession.SessionStoreUnavailableException;
import io.github.resilientsession.durable.SchemaVersionException;
import io.github.resilientsession.testsupport.PostgresServer;
import io.github.resilientsession.testsupport.RealServers;
import io.github.resilientsession.testsupport.RedisServer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

import org.springframework.boot.diagnostics.FailureAnalysis;
import org.springframework.boot.test.context.assertj.AssertableWebApplicationContext;
import org.springframework.boot.test.context.runner.WebApplicationContextRunner;
import org.springframework.boot.test.system.CapturedOutput;
import org.springframework.boot.test.system.OutputCaptureExtension;
import org.springframework.jdbc.BadSqlGrammarException;
import org.springframework.jdbc.core.JdbcTemplate;
import org.springframework.jdbc.datasource.SingleConnectionDataSource;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.awaitility.Awaitility.await;

/**
 * Tests for a start while stores are down or have no table yet.
 */
@RealServers
@ExtendWith(OutputCaptureExtension.class)
class DownAtStartTests {

	private static final Duration PATIENCE = Duration.ofSeconds(20);

	private final RedisServer redis;

	private final PostgresServer postgres;

	@TempDir
	private Path directory;

	DownAtStartTests(RedisServer redis, PostgresServer postgres) {
		this.redis = redis;
		this.postgres = postgres;
	}

	@Test
	void start_withRedisDown_keepsSessionsInTheDatabase() {
		withPostgres(StarterRunner.withRedisAt("redis://" + StarterRunner.unusedAddress())).run((context) -> {
			ResilientSession session = save(context);
			assertThat(repository(context).findById(session.getId())).isNotNull();
		});
	}

	@Test
	void start_withPostgresDown_keepsSessionsInRedis() {
		StarterRunner.withRedis(this.redis)
			.withPropertyValues("spring.datasource.url=jdbc:postgresql://" + StarterRunner.unusedAddress() + "/shop")
			.run((context) -> {
				ResilientSession session = save(context);
				assertThat(repository(context).findById(session.getId())).isNotNull();
			});
	}

	@Test
	void start_withPostgresDown_ifStrict_refusesSessionsInsteadOfTheStart() {
		StarterRunner.withRedis(this.redis)
			.withPropertyValues("spring.datasource.url=jdbc:postgresql://" + StarterRunner.unusedAddress() + "/shop",
					"resilient-session.strict=true")
			.run(DownAtStartTests::assertUnavailable);
	}

	@Test
	void start_withBothDown_refusesSessionsInsteadOfTheStart() {
		StarterRunner.withRedisAt("redis://" + StarterRunner.unusedAddress())
			.withPropertyValues("spring.datasource.url=jdbc:postgresql://" + StarterRunner.unusedAddress() + "/shop")
			.run(DownAtStartTests::assertUnavailable);
	}

	@Test
	void start_withBothDown_endsWithinTheTimeLimits() {
		long before = System.nanoTime();
		start_withBothDown_refusesSessionsInsteadOfTheStart();
		assertThat(Duration.ofNanos(System.nanoTime() - before)).isLessThan(PATIENCE);
	}

	@Test
	void start_withPostgresDown_createsTheTableWhenItIsBack() {
		try (PostgresServer server = PostgresServer.start()) {
			String url = server.createDatabase();
			server.kill();
			StarterRunner.withRedis(this.redis)
				.withPropertyValues("spring.datasource.url=" + url, "spring.datasource.username=" + server.username(),
						"spring.datasource.password=" + server.password(),
						"resilient-session.durable.initialize-schema=always")
				.run((context) -> {
					ResilientSession before = save(context);
					server.restart();
					await().atMost(PATIENCE).ignoreExceptions().until(() -> rows(context) == 1);
					this.redis.flushAll();
					assertThat(repository(context).findById(before.getId())).isNotNull();
				});
		}
	}

	@Test
	void schema_ofADatabaseInMemory_isCreatedByDefault() {
		StarterRunner.withRedis(this.redis).run((context) -> {
			save(context);
			assertThat(rows(context)).isOne();
		});
	}

	@Test
	void schema_ofADatabaseInAFile_isNotCreatedByDefaultAndIsReported(CapturedOutput output) {
		StarterRunner.withRedis(this.redis).withPropertyValues("spring.datasource.url=" + fileUrl()).run((context) -> {
			assertUnavailable(context);
			assertThat(output).contains("resilient_session").contains("resilient-session.durable.initialize-schema");
		});
	}

	@Test
	void schema_ofADatabaseInAFile_isCreatedIfAlwaysIsSaid() {
		StarterRunner.withRedis(this.redis)
			.withPropertyValues("spring.datasource.url=" + fileUrl(),
					"resilient-session.durable.initialize-schema=always")
			.run((context) -> {
				save(context);
				assertThat(rows(context)).isOne();
			});
	}

	@Test
	void schema_thatExists_isLeftAsItIs() {
		WebApplicationContextRunner runner = StarterRunner.withRedis(this.redis)
			.withPropertyValues("spring.datasource.url=" + fileUrl(),
					"resilient-session.durable.initialize-schema=always");
		runner.run(DownAtStartTests::save);
		runner.run((context) -> assertThat(rows(context)).isOne());
	}

	@Test
	void schema_ofADatabaseInMemory_isNotCreatedIfNeverIsSaid(CapturedOutput output) {
		StarterRunner.withRedis(this.redis)
			.withPropertyValues("resilient-session.durable.initialize-schema=never")
			.run((context) -> {
				assertUnavailable(context);
				assertThat(output).contains("resilient-session.durable.initialize-schema");
			});
	}

	@Test
	void schema_thatIsCreatedLater_isFoundWithoutARestart() {
		StarterRunner.withRedis(this.redis).withPropertyValues("spring.datasource.url=" + fileUrl()).run((context) -> {
			assertUnavailable(context);
			context.getBean(JdbcTemplate.class)
				.execute("runscript from 'classpath:io/github/resilientsession/durable/schema-h2.sql'");
			await().atMost(PATIENCE)
				.ignoreExceptions()
				.until(() -> repository(context).findById(save(context).getId()) != null);
		});
	}

	@ParameterizedTest
	@ValueSource(strings = { "always", "never" })
	void schema_ofANewerVersion_failsTheStart_andNothingIsWritten(String mode) {
		String url = fileUrl();
		WebApplicationContextRunner runner = StarterRunner.withRedis(this.redis)
			.withPropertyValues("spring.datasource.url=" + url, "resilient-session.durable.initialize-schema=" + mode);
		execute(url, "create table resilient_session_schema (version integer not null primary key)",
				"insert into resilient_session_schema (version) values (3)");
		runner.run((context) -> {
			assertThat(context).hasFailed();
			assertThat(context.getStartupFailure()).hasRootCauseInstanceOf(SchemaVersionException.class);
			FailureAnalysis analysis = new SchemaVersionFailureAnalyzer().analyze(context.getStartupFailure());
			assertThat(analysis.getDescription()).contains("version 3", "needs version 2");
			assertThat(analysis.getAction()).contains("version of the library");
		});
		assertThatExceptionOfType(BadSqlGrammarException.class)
			.isThrownBy(() -> execute(url, "table resilient_session"));
	}

	@ParameterizedTest
	@CsvSource({ "always, 1", "never, 1", "always, ", "never, " })
	void schema_ofAnOlderVersion_failsTheStart_andNothingIsWritten(String mode, Integer version) {
		String url = fileUrl();
		execute(url, "runscript from 'classpath:io/github/resilientsession/durable/schema-h2.sql'",
				"alter table resilient_session drop column moved_to");
		if (version != null) {
			execute(url, "update resilient_session_schema set version = " + version);
		}
		else {
			execute(url, "drop table resilient_session_schema",
					"alter table resilient_session drop column persisted_writes");
		}
		List<String> before = dump(url);
		StarterRunner.withRedis(this.redis)
			.withPropertyValues("spring.datasource.url=" + url, "resilient-session.durable.initialize-schema=" + mode)
			.run((context) -> {
				assertThat(context).hasFailed();
				assertThat(context.getStartupFailure()).hasRootCauseInstanceOf(SchemaVersionException.class);
				FailureAnalysis analysis = new SchemaVersionFailureAnalyzer().analyze(context.getStartupFailure());
				assertThat(analysis.getDescription()).contains((version != null) ? "version 1," : "older than 1",
						"needs version 2");
				assertThat(analysis.getAction()).contains("alter table resilient_session add column moved_to");
			});
		assertThat(dump(url)).isEqualTo(before);
	}

	@Test
	void schema_ofANewerVersion_foundAfterTheStart_keepsTheDatabaseCutOff(CapturedOutput output) {
		try (PostgresServer server = PostgresServer.start()) {
			String url = server.createDatabase();
			execute(server, url, "create table resilient_session_schema (version integer not null primary key)",
					"insert into resilient_session_schema (version) values (3)");
			server.kill();
			StarterRunner.withRedis(this.redis)
				.withPropertyValues("spring.datasource.url=" + url, "spring.datasource.username=" + server.username(),
						"spring.datasource.password=" + server.password(),
						"resilient-session.durable.initialize-schema=always")
				.run((context) -> {
					save(context);
					server.restart();
					await().atMost(PATIENCE).until(() -> output.toString().contains("stays cut off"));
					await().atMost(PATIENCE).untilAsserted(() -> assertUnavailable(context));
				});
			assertThat(output.toString().split("stays cut off", -1)).hasSize(2);
			execute(server, url, "create table resilient_session (nothing_was_written integer)");
		}
	}

	private static void execute(PostgresServer server, String url, String... statements) {
		execute(new SingleConnectionDataSource(url, server.username(), server.password(), false), statements);
	}

	private static void execute(String url, String... statements) {
		execute(new SingleConnectionDataSource(url, false), statements);
	}

	/**
	 * All that is in a database, as the statements that would create it.
	 */
	private static List<String> dump(String url) {
		try (SingleConnectionDataSource dataSource = new SingleConnectionDataSource(url, false)) {
			return new JdbcTemplate(dataSource).queryForList("script", String.class);
		}
	}

	private static void execute(SingleConnectionDataSource dataSource, String... statements) {
		try (dataSource) {
			JdbcTemplate jdbc = new JdbcTemplate(dataSource);
			for (String statement : statements) {
				jdbc.execute(statement);
			}
		}
	}

	private WebApplicationContextRunner withPostgres(WebApplicationContextRunner runner) {
		return runner.withPropertyValues("spring.datasource.url=" + this.postgres.createDatabase(),
				"spring.datasource.username=" + this.postgres.username(),
				"spring.datasource.password=" + this.postgres.password(),
				"resilient-session.durable.initialize-schema=always");
	}

	private String fileUrl() {
		return "jdbc:h2:file:" + this.directory.resolve("shop");
	}

	private static void assertUnavailable(AssertableWebApplicationContext context) {
		assertThat(context).hasNotFailed();
		assertThatExceptionOfType(SessionStoreUnavailableException.class).isThrownBy(() -> save(context));
	}

	private static ResilientSession save(AssertableWebApplicationContext context) {
		return StarterRunner.saveSession(repository(context));
	}

	private static ResilientSessionRepository repository(AssertableWebApplicationContext context) {
		return context.getBean(ResilientSessionRepository.class);
	}

	private static int rows(AssertableWebApplicationContext context) {
		return context.getBean(JdbcTemplate.class)
			.queryForObject("select count(*) from resilient_session", Integer.class);
	}

}

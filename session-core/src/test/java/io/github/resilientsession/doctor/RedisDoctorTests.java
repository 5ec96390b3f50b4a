package io.github.resilientsession.doctor;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;

import io.github.resilientsession.testsupport.RedisServer;
import io.lettuce.core.AclSetuserArgs;
import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisException;
import io.lettuce.core.ScriptOutputType;
import io.lettuce.core.protocol.CommandType;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

/**
 * Tests for {@link RedisDoctor}: every finding against a real Redis that was put into
 * that state.
 */
class RedisDoctorTests {

	private static final Duration TEN_SECONDS = Duration.ofSeconds(10);

	private static final String SMALL = "32mb";

	private final List<AutoCloseable> open = new ArrayList<>();

	@AfterEach
	void close() throws Exception {
		for (int i = this.open.size() - 1; i >= 0; i--) {
			this.open.get(i).close();
		}
	}

	@Test
	void examine_findsNothingInAHealthyRedis() {
		Patient patient = patient(Map.of("maxmemory", "256mb"));
		putSessions(patient.server, 100);
		for (int i = 0; i < 20; i++) {
			assertThat(patient.examineAfter(TEN_SECONDS).findings()).isEmpty();
		}
	}

	@Test
	void examine_findsNothingInAHealthyMasterThatSavesAndHasAReplica() {
		Patient patient = patient(Map.of("maxmemory", "256mb", "appendonly", "yes"));
		patient.server.configSet("save", "3600 1");
		RedisServer replica = server(Map.of());
		replica.replicaOf(patient.server);
		putSessions(patient.server, 100);
		replica.awaitReplicated(patient.server);
		await().untilAsserted(() -> assertThat(patient.examineAfter(TEN_SECONDS).findings()).isEmpty());
	}

	static Stream<Sick> sick() {
		return Stream.of(
				new Sick("evicts any key", Check.EVICTION_POLICY, Severity.CRITICAL, "allkeys-lru")
					.configured("maxmemory-policy", "allkeys-lru"),
				new Sick("evicts any key at random", Check.EVICTION_POLICY, Severity.CRITICAL, "allkeys-random")
					.configured("maxmemory-policy", "allkeys-random"),
				new Sick("evicts keys with a TTL", Check.EVICTION_POLICY, Severity.WARNING, "volatile-ttl")
					.configured("maxmemory-policy", "volatile-ttl"),
				new Sick("has no memory limit", Check.MEMORY_LIMIT, Severity.WARNING, "maxmemory is 0")
					.configured("maxmemory", "0"),
				new Sick("may use more than its container has", Check.MEMORY_LIMIT, Severity.CRITICAL, "64 MB")
					.settings((settings) -> memoryLimit(settings, 64L << 20)),
				new Sick("is rather full", Check.MEMORY_USED, Severity.WARNING, "memory").configured("maxmemory", SMALL)
					.state((redis) -> fill(redis, 0.85)),
				new Sick("is full", Check.MEMORY_USED, Severity.CRITICAL, "memory").configured("maxmemory", SMALL)
					.state((redis) -> fill(redis, 0.99)),
				new Sick("is full without a limit", Check.MEMORY_USED, Severity.CRITICAL, "24 MB")
					.configured("maxmemory", "0")
					.settings((settings) -> memoryLimit(settings, 24L << 20))
					.state((redis) -> redis.floodForeignKeys(24, 1 << 20)),
				new Sick("has evicted before", Check.EVICTIONS, Severity.WARNING, "has evicted")
					.configured("maxmemory", SMALL)
					.configured("maxmemory-policy", "allkeys-lru")
					.state((redis) -> redis.floodForeignKeys(50_000, 1_000)),
				new Sick("is fragmented", Check.FRAGMENTATION, Severity.WARNING, "fragmentation")
					.configured("maxmemory", "1gb")
					.state(RedisDoctorTests::fragment),
				new Sick("has no room for a fork", Check.FORK_HEADROOM, Severity.WARNING, "save its data")
					.configured("maxmemory", "100mb")
					.settings((settings) -> memoryLimit(settings, 100L << 20))
					.state((redis) -> redis.configSet("save", "3600 1")),
				new Sick("cannot save", Check.PERSISTENCE, Severity.CRITICAL, "could not save").state((redis) -> {
					failToSave(redis);
					redis.configSet("save", "3600 1");
				}),
				new Sick("could not save once, and does not by itself", Check.PERSISTENCE, Severity.WARNING,
						"could not save")
					.state(RedisDoctorTests::failToSave),
				new Sick("cannot save, and takes writes all the same", Check.PERSISTENCE, Severity.WARNING,
						"could not save")
					.state((redis) -> {
						redis.configSet("stop-writes-on-bgsave-error", "no");
						failToSave(redis);
						redis.configSet("save", "3600 1");
					}),
				new Sick("waits for its disk", Check.PERSISTENCE, Severity.WARNING, "appendfsync always")
					.configured("appendonly", "yes")
					.configured("appendfsync", "always"),
				new Sick("is shared", Check.SHARED_INSTANCE, Severity.WARNING, "not sessions")
					.state((redis) -> redis.floodForeignKeys(200, 10)),
				new Sick("has keys in another database", Check.SHARED_INSTANCE, Severity.WARNING, "other databases")
					.state((redis) -> redis.call((commands) -> {
						commands.select(3);
						return commands.setex("cache", 100, "entry");
					})),
				new Sick("has sessions without a TTL", Check.KEYS_WITHOUT_TTL, Severity.WARNING, "without a TTL")
					.state((redis) -> redis.call((commands) -> {
						for (int i = 0; i < 20; i++) {
							commands.hset("spring:session:sessions:immortal" + i, "a", "b");
						}
						return true;
					})),
				new Sick("has slow scripts", Check.SLOW_SCRIPTS, Severity.WARNING, "of other software")
					.state((redis) -> redis.call((commands) -> commands.eval(
							"local t = redis.call('TIME') local e = t[1] * 1000000 + t[2] + 200000 "
									+ "repeat t = redis.call('TIME') until t[1] * 1000000 + t[2] > e return 1",
							ScriptOutputType.INTEGER))),
				new Sick("does not allow INFO", Check.VISIBILITY, Severity.NOTICE, "does not let this user ask INFO")
					.state((redis) -> forbid(redis, CommandType.INFO)),
				new Sick("does not allow RANDOMKEY", Check.VISIBILITY, Severity.NOTICE, "a sample of the keys")
					.state((redis) -> forbid(redis, CommandType.RANDOMKEY)),
				new Sick("does not allow SLOWLOG", Check.VISIBILITY, Severity.NOTICE, "the log of slow commands")
					.state((redis) -> forbid(redis, CommandType.SLOWLOG)));
	}

	@ParameterizedTest
	@MethodSource("sick")
	void examine_findsWhatIsWrong(Sick sick) {
		Patient patient = patient(sick.configuration, sick.settings.apply(Patient.SETTINGS));
		putSessions(patient.server, 20);
		sick.state.accept(patient.server);
		assertFound(patient.examine(), sick.check, sick.severity, sick.words);
		// And says so again: nothing has changed.
		assertFound(patient.examineAfter(TEN_SECONDS), sick.check, sick.severity, sick.words);
	}

	@Test
	void examine_withoutConfig_findsTheSame() {
		Patient patient = patient(Map.of("maxmemory-policy", "allkeys-lru", "maxmemory", "256mb"));
		forbid(patient.server, CommandType.CONFIG);
		Report report = patient.examine();
		assertFound(report, Check.EVICTION_POLICY, Severity.CRITICAL, "allkeys-lru");
		assertThat(report.severity(Check.VISIBILITY)).isEmpty();
	}

	@Test
	void examine_thatMayNotLookAnyMore_doesNotTakeThatForAnEnd() {
		Patient patient = patient(Map.of("maxmemory-policy", "allkeys-lru", "maxmemory", "256mb"));
		patient.server.floodForeignKeys(200, 10);
		patient.examine();
		forbid(patient.server, CommandType.INFO);
		forbid(patient.server, CommandType.RANDOMKEY);
		Report blind = patient.examineAfter(Duration.ofHours(2));
		assertFound(blind, Check.EVICTION_POLICY, Severity.CRITICAL, "allkeys-lru");
		assertFound(blind, Check.SHARED_INSTANCE, Severity.WARNING, "not sessions");
		assertFound(blind, Check.VISIBILITY, Severity.NOTICE, "INFO");
	}

	@Test
	void examine_keepsWhatASampleHasShown_forAWhile() {
		Patient patient = patient(Map.of("maxmemory", "256mb"));
		patient.server.floodForeignKeys(10, 10);
		assertFound(patient.examine(), Check.SHARED_INSTANCE, Severity.WARNING, "not sessions");
		patient.server.flushAll();
		assertFound(patient.examineAfter(Duration.ofMinutes(29)), Check.SHARED_INSTANCE, Severity.WARNING,
				"not sessions");
		assertThat(patient.examineAfter(Duration.ofMinutes(2)).severity(Check.SHARED_INSTANCE)).isEmpty();
	}

	@Test
	void examine_ofARedisThatWasRestarted_beginsAnew() {
		Patient patient = patient(Map.of("maxmemory", "256mb"));
		patient.server.floodForeignKeys(10, 10);
		assertFound(patient.examine(), Check.SHARED_INSTANCE, Severity.WARNING, "not sessions");
		patient.server.restartEmpty();
		await().ignoreExceptions()
			.untilAsserted(
					() -> assertThat(patient.examineAfter(TEN_SECONDS).severity(Check.SHARED_INSTANCE)).isEmpty());
	}

	@Test
	void examine_findsEvictions_whileTheyGoOn_andForSomeMinutes() {
		Patient patient = patient(Map.of("maxmemory", SMALL, "maxmemory-policy", "allkeys-lru"));
		putSessions(patient.server, 20);
		assertThat(patient.examine().severity(Check.EVICTIONS)).isEmpty();
		patient.server.floodForeignKeys(50_000, 1_000);
		assertFound(patient.examineAfter(TEN_SECONDS), Check.EVICTIONS, Severity.CRITICAL, "Redis evicts keys");
		assertFound(patient.examineAfter(Duration.ofMinutes(4)), Check.EVICTIONS, Severity.CRITICAL, "evicts keys");
		assertFound(patient.examineAfter(Duration.ofMinutes(2)), Check.EVICTIONS, Severity.WARNING, "has evicted");
		patient.server.restartEmpty();
		await().ignoreExceptions()
			.untilAsserted(() -> assertThat(patient.examineAfter(TEN_SECONDS).severity(Check.EVICTIONS)).isEmpty());
	}

	@Test
	void examine_namesThePolicyAndTheSharedInstance_beforeTheFirstEviction() {
		Patient patient = patient(Map.of("maxmemory", "256mb", "maxmemory-policy", "allkeys-lru"));
		putSessions(patient.server, 20);
		patient.server.floodForeignKeys(1_000, 100);
		Report report = patient.examine();
		assertFound(report, Check.EVICTION_POLICY, Severity.CRITICAL, "allkeys-lru");
		assertFound(report, Check.SHARED_INSTANCE, Severity.WARNING, "not sessions");
		assertThat(report.severity(Check.EVICTIONS)).isEmpty();
	}

	@Test
	void examine_forecastsWhenRedisIsFull_ifItGrows() {
		Patient patient = patient(Map.of("maxmemory", "64mb"));
		patient.examine();
		for (int i = 1; i <= 8; i++) {
			int from = i;
			patient.server.call((redis) -> redis.setex("spring:session:sessions:" + from, 1_000, "x".repeat(2 << 20)));
			patient.examineAfter(Duration.ofSeconds(30));
		}
		// Two to three MB in half a minute, of some forty that are left.
		assertFound(patient.examine(), Check.MEMORY_GROWTH, Severity.CRITICAL, "minutes");
		assertThat(patient.examine().untilFull().orElseThrow()).isBetween(Duration.ofMinutes(4),
				Duration.ofMinutes(12));
		for (int i = 0; i < 30; i++) {
			patient.examineAfter(Duration.ofSeconds(30));
		}
		assertThat(patient.examine().untilFull()).isEmpty();
	}

	@Test
	void examine_findsAReplicaThatHangs_andOneThatIsGone() {
		DoctorSettings settings = new DoctorSettings(true, TEN_SECONDS, DoctorSettings.OnCritical.WARN, null, 0.8, 0.95,
				1.5, Duration.ofSeconds(2), Duration.ofHours(2), Duration.ofMillis(50));
		Patient patient = patient(Map.of("maxmemory", "256mb"), settings);
		RedisServer replica = server(Map.of());
		replica.replicaOf(patient.server);
		await().untilAsserted(() -> assertThat(patient.examine().severity(Check.REPLICATION)).isEmpty());
		replica.pause();
		await().untilAsserted(
				() -> assertFound(patient.examine(), Check.REPLICATION, Severity.WARNING, "has not confirmed"));
		replica.resume();
		await().untilAsserted(() -> assertThat(patient.examine().severity(Check.REPLICATION)).isEmpty());
		replica.kill();
		await().untilAsserted(() -> assertFound(patient.examine(), Check.REPLICATION, Severity.WARNING, "0 are left"));
		assertThat(patient.examineAfter(Duration.ofHours(2)).severity(Check.REPLICATION)).isEmpty();
	}

	@Test
	void examine_findsAReplicaThatConfirmsButIsMinutesBehind() {
		Patient patient = patient(Map.of("maxmemory", "256mb"));
		RedisServer replica = server(Map.of());
		replica.replicaOf(patient.server);
		patient.examine();
		replica.pause();
		for (int i = 0; i < 7; i++) {
			putSessions(patient.server, 10);
			patient.examineAfter(TEN_SECONDS);
		}
		Report report = patient.examineAfter(TEN_SECONDS);
		assertFound(report, Check.REPLICATION, Severity.WARNING, " s behind");
		assertThat(report.replicaLag().orElseThrow()).isBetween(Duration.ofSeconds(60), Duration.ofSeconds(90));
		replica.resume();
		replica.awaitReplicated(patient.server);
		await().untilAsserted(() -> assertThat(patient.examine().severity(Check.REPLICATION)).isEmpty());
	}

	@Test
	void examine_findsThatItIsAReplica() {
		RedisServer master = server(Map.of());
		Patient patient = patient(Map.of("maxmemory", "256mb"));
		patient.server.replicaOf(master);
		assertFound(patient.examine(), Check.REPLICATION, Severity.CRITICAL, "is a replica");
	}

	@Test
	void examine_findsThatClientsAreTurnedAway() {
		Patient patient = patient(Map.of("maxmemory", "256mb", "maxclients", "10"));
		patient.examine();
		List<RedisClient> clients = new ArrayList<>();
		this.open.add(() -> clients.forEach(RedisClient::shutdown));
		boolean refused = false;
		while (!refused && clients.size() < 12) {
			RedisClient client = RedisClient.create(patient.server.uri());
			clients.add(client);
			try {
				client.connect();
				if (clients.size() == 7) {
					assertFound(patient.examineAfter(TEN_SECONDS), Check.CLIENTS, Severity.WARNING, "of at most 10");
				}
			}
			catch (RedisException ex) {
				refused = true;
			}
		}
		assertThat(refused).isTrue();
		assertFound(patient.examineAfter(TEN_SECONDS), Check.CLIENTS, Severity.CRITICAL, "clients");
	}

	private static void assertFound(Report report, Check check, Severity severity, String words) {
		assertThat(report.findings()).filteredOn((finding) -> finding.check() == check)
			.singleElement()
			.satisfies((finding) -> {
				assertThat(finding.severity()).isEqualTo(severity);
				assertThat(finding.what()).contains(words);
				assertThat(finding.why()).isNotBlank();
				assertThat(finding.fix()).isNotBlank();
			});
	}

	private Patient patient(Map<String, String> configuration) {
		return patient(configuration, Patient.SETTINGS);
	}

	private Patient patient(Map<String, String> configuration, DoctorSettings settings) {
		Patient patient = new Patient(server(configuration), settings);
		this.open.add(patient);
		return patient;
	}

	private RedisServer server(Map<String, String> configuration) {
		RedisServer server = RedisServer.start(configuration);
		this.open.add(server);
		return server;
	}

	private static DoctorSettings memoryLimit(DoctorSettings from, long bytes) {
		return new DoctorSettings(from.enabled(), from.interval(), from.onCritical(), bytes, from.memoryWarning(),
				from.memoryCritical(), from.maxFragmentation(), from.maxReplicaLag(), from.fullWithin(),
				from.slowScript());
	}

	private static void putSessions(RedisServer redis, int count) {
		redis.call((commands) -> {
			for (int i = 0; i < count; i++) {
				commands.setex("spring:session:sessions:live" + i, 1_000, "session");
			}
			return count;
		});
	}

	private static void fill(RedisServer redis, double part) {
		long maximum = 32L << 20;
		for (int i = 0; redis.usedMemory() < part * maximum; i++) {
			int number = i;
			try {
				redis.call((commands) -> commands.setex("spring:session:sessions:fill" + number, 1_000,
						"x".repeat(64 << 10)));
			}
			catch (RedisException ex) {
				// As full as it gets.
				return;
			}
		}
	}

	/**
	 * Many small keys, of which some stay here and there.
	 */
	private static void fragment(RedisServer redis) {
		redis.floodForeignKeys(200_000, 1_000);
		redis.call((commands) -> commands.eval(
				"for i = 0, 199999 do if i % 10 > 0 then " + "redis.call('DEL', 'foreign:' .. i) end end return 1",
				ScriptOutputType.INTEGER));
	}

	/**
	 * There is a directory where the file should go.
	 */
	private static void failToSave(RedisServer redis) {
		try {
			String directory = redis.call((commands) -> commands.configGet("dir")).get("dir");
			Files.createDirectories(Path.of(directory, "taken.rdb", "not empty"));
			redis.configSet("dbfilename", "taken.rdb");
			redis.call((commands) -> commands.bgsave());
			await().until(() -> redis.call((commands) -> commands.info("persistence"))
				.contains("rdb_last_bgsave_status:err"));
		}
		catch (IOException ex) {
			throw new IllegalStateException(ex);
		}
	}

	private static void forbid(RedisServer redis, CommandType command) {
		redis.call((commands) -> commands.aclSetuser("default", AclSetuserArgs.Builder.removeCommand(command)));
	}

	/**
	 * A Redis in which something is wrong.
	 */
	static final class Sick {

		private final String name;

		private final Check check;

		private final Severity severity;

		private final String words;

		private Map<String, String> configuration = Map.of("maxmemory", "256mb");

		private UnaryOperator<DoctorSettings> settings = UnaryOperator.identity();

		private Consumer<RedisServer> state = (redis) -> {
		};

		Sick(String name, Check check, Severity severity, String words) {
			this.name = name;
			this.check = check;
			this.severity = severity;
			this.words = words;
		}

		Sick configured(String directive, String value) {
			Map<String, String> more = new HashMap<>(this.configuration);
			more.put(directive, value);
			this.configuration = more;
			return this;
		}

		Sick settings(UnaryOperator<DoctorSettings> settings) {
			this.settings = settings;
			return this;
		}

		Sick state(Consumer<RedisServer> state) {
			this.state = state;
			return this;
		}

		@Override
		public String toString() {
			return this.name;
		}

	}

}

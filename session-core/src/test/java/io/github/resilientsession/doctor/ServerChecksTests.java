package io.github.resilientsession.doctor;

import java.time.Instant;
import java.util.List;
import java.util.Optional;

import io.github.resilientsession.redis.KeySample;
import io.github.resilientsession.redis.ServerInfo;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Tests for {@link ServerChecks} and {@link MemoryChecks} with what servers say that
 * cannot be started here.
 */
class ServerChecksTests {

	private static final String HEALTHY = """
			# Server
			redis_version:7.4.1
			run_id:0123456789
			executable:/usr/bin/redis-server
			# Clients
			connected_clients:3
			maxclients:10000
			# Memory
			used_memory:1048576
			used_memory_rss:2097152
			maxmemory:104857600
			maxmemory_policy:noeviction
			total_system_memory:8589934592
			mem_fragmentation_ratio:2.0
			# Persistence
			rdb_last_bgsave_status:ok
			rdb_last_bgsave_time_sec:-1
			aof_enabled:0
			# Stats
			rejected_connections:0
			evicted_keys:0
			# Replication
			role:master
			connected_slaves:0
			""";

	@Test
	void healthyServer_hasNoFindings() {
		assertThat(examine(HEALTHY)).isEmpty();
	}

	@ParameterizedTest
	@ValueSource(strings = { "2.8.24", "5.0.14", "6.0.16" })
	void oldServer_isCritical(String version) {
		assertThat(examine(HEALTHY.replace("7.4.1", version))).singleElement().satisfies((finding) -> {
			assertThat(finding.check()).isEqualTo(Check.SERVER_VERSION);
			assertThat(finding.severity()).isEqualTo(Severity.CRITICAL);
			assertThat(finding.what()).contains(version);
		});
	}

	@ParameterizedTest
	@ValueSource(strings = { "6.2.0", "7.0", "255.255.255", "unstable" })
	void newServer_isNoFinding(String version) {
		assertThat(examine(HEALTHY.replace("7.4.1", version))).isEmpty();
	}

	@ParameterizedTest
	@CsvSource({ "server_name:valkey|valkey_version:8.0.1, valkey 8.0.1", "dragonfly_version:df-v1.25.0, dragonfly",
			"executable:/usr/bin/keydb-server, keydb" })
	void serverOfAnotherVendor_isNoticed(String lines, String name) {
		String info = lines.startsWith("executable") ? HEALTHY.replace("/usr/bin/redis-server", lines.substring(11))
				: HEALTHY + lines.replace('|', '\n') + "\n";
		assertThat(examine(info)).singleElement().satisfies((finding) -> {
			assertThat(finding.check()).isEqualTo(Check.SERVER_VERSION);
			assertThat(finding.severity()).isEqualTo(Severity.NOTICE);
			assertThat(finding.what()).contains(name);
		});
	}

	@Test
	void answerThatIsCutShort_saysWhatCannotBeSeen() {
		String cut = HEALTHY.substring(0, HEALTHY.indexOf("maxmemory_policy"));
		assertThat(examine(cut)).singleElement().satisfies((finding) -> {
			assertThat(finding.check()).isEqualTo(Check.VISIBILITY);
			assertThat(finding.severity()).isEqualTo(Severity.NOTICE);
			assertThat(finding.what()).contains("maxmemory_policy", "evicted_keys", "role")
				.doesNotContain("used_memory");
		});
	}

	@Test
	void answerThatIsCutWithinANumber_isNotTakenForASmallerOne() {
		String cut = HEALTHY.substring(0, HEALTHY.indexOf("maxmemory:") + "maxmemory:10".length());
		assertThat(examine(cut)).singleElement()
			.satisfies((finding) -> assertThat(finding.check()).isEqualTo(Check.VISIBILITY));
	}

	@Test
	void answerThatIsOnceCutShort_isNoReasonToMissReplicasOrToSeeEvictions() {
		String full = HEALTHY.replace("evicted_keys:0", "evicted_keys:7")
			.replace("connected_slaves:0",
					"connected_slaves:1\nslave0:ip=10.0.0.1,port=6379,state=online,offset=1,lag=0");
		History history = new History(DoctorSettings.DEFAULTS);
		List<Finding> before = examine(full, history);
		assertThat(examine(full.substring(0, full.indexOf("# Stats")), history)).singleElement()
			.satisfies((finding) -> assertThat(finding.check()).isEqualTo(Check.VISIBILITY));
		assertThat(examine(full, history)).isEqualTo(before);
	}

	@Test
	void countersThatBeginAgain_areNoEvictions() {
		History history = new History(DoctorSettings.DEFAULTS);
		examine(HEALTHY.replace("evicted_keys:0", "evicted_keys:700"), history);
		examine(HEALTHY.replace("evicted_keys:0", "evicted_keys:800"), history);
		assertThat(examine(HEALTHY, history)).isEmpty();
	}

	@Test
	void clusterNodeThatIsAReplica_isNoFinding_butSaysWhatCannotBeSeen() {
		assertThat(examine(HEALTHY.replace("role:master", "role:slave") + "redis_mode:cluster\n")).singleElement()
			.satisfies((finding) -> {
				assertThat(finding.check()).isEqualTo(Check.VISIBILITY);
				assertThat(finding.what()).contains("other shards");
			});
	}

	@ParameterizedTest
	@ValueSource(strings = { "used_memory:a lot", "used_memory:", "used_memory:NaN", "used_memory", ":",
			"used_memory:1e999" })
	void fieldThatIsNoNumber_isAsIfItWereMissing(String line) {
		assertThat(ServerInfo.parse(line + "\n").number("used_memory")).isEmpty();
		assertThat(examine(HEALTHY.replace("used_memory:1048576", line)))
			.allSatisfy((finding) -> assertThat(finding.check()).isEqualTo(Check.VISIBILITY));
	}

	@Test
	void unknownFields_areLeftOut() {
		assertThat(examine("new_section_of_redis_9:1,2,3\n" + HEALTHY + "slaves:many\nslave:no number\n")).isEmpty();
	}

	@Test
	void swappedOutServer_isFound() {
		String info = HEALTHY.replace("used_memory:1048576", "used_memory:1073741824")
			.replace("used_memory_rss:2097152", "used_memory_rss:536870912")
			.replace("maxmemory:104857600", "maxmemory:4294967296")
			.replace("mem_fragmentation_ratio:2.0", "mem_fragmentation_ratio:0.5");
		assertThat(examine(info)).singleElement().satisfies((finding) -> {
			assertThat(finding.check()).isEqualTo(Check.FRAGMENTATION);
			assertThat(finding.what()).contains("is not in memory");
		});
	}

	@ParameterizedTest
	@CsvSource({ "aof_last_write_status:err, CRITICAL", "aof_last_bgrewrite_status:err, WARNING",
			"latest_fork_usec:250000, WARNING", "aof_last_bgrewrite_status:err|aof_last_write_status:err, CRITICAL",
			"latest_fork_usec:250000|aof_last_write_status:err, CRITICAL" })
	void persistenceThatFailsOrCosts_isFound_theWorstOfIt(String lines, Severity severity) {
		assertThat(examine(HEALTHY + lines.replace('|', '\n') + "\n")).singleElement().satisfies((finding) -> {
			assertThat(finding.check()).isEqualTo(Check.PERSISTENCE);
			assertThat(finding.severity()).isEqualTo(severity);
		});
	}

	@Test
	void replicaThatIsNotInStep_isFound() {
		String info = HEALTHY + "slave0:ip=10.0.0.1,port=6379,state=wait_bgsave,offset=0,lag=0\n";
		assertThat(examine(info)).singleElement().satisfies((finding) -> {
			assertThat(finding.check()).isEqualTo(Check.REPLICATION);
			assertThat(finding.what()).contains("wait_bgsave");
		});
	}

	private static List<Finding> examine(String info) {
		return examine(info, new History(DoctorSettings.DEFAULTS));
	}

	private static List<Finding> examine(String info, History history) {
		Look look = new Look(Instant.now(), ServerInfo.parse(info), Optional.of("3600 1"), Optional.of("everysec"),
				Optional.of("yes"), Optional.of(new KeySample(10, 0, 0)), Optional.of(List.of()));
		Findings findings = new Findings();
		new MemoryChecks(DoctorSettings.DEFAULTS, findings).check(look, history.add(look, false, findings).untilFull());
		new ServerChecks(DoctorSettings.DEFAULTS, findings).check(look);
		return findings.all();
	}

}

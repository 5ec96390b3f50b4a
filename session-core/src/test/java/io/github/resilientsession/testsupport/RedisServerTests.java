package io.github.resilientsession.testsupport;

import java.io.IOException;
import java.net.Socket;
import java.nio.file.Path;
import java.time.Duration;

import io.lettuce.core.RedisException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

class RedisServerTests {

	private final RedisServer redis = RedisServer.start();

	@AfterEach
	void close() {
		this.redis.close();
	}

	@Test
	void kill_refusesConnections_untilItIsRestartedEmptyAtTheSamePort() {
		this.redis.call((commands) -> commands.set("key", "value"));
		this.redis.kill();
		assertThat(this.redis.isRunning()).isFalse();
		assertThatExceptionOfType(IOException.class).isThrownBy(() -> {
			try (Socket socket = new Socket(this.redis.host(), this.redis.port())) {
				socket.getOutputStream();
			}
		});
		this.redis.restartEmpty();
		assertThat(get("key")).isNull();
	}

	@Test
	void pause_letsCommandsTimeOut_untilItIsResumed() {
		this.redis.pause();
		assertThatExceptionOfType(RedisException.class).isThrownBy(() -> this.redis.call((commands) -> {
			throw new AssertionError("It answered");
		}));
		this.redis.resume();
		assertThat(get("key")).isNull();
	}

	@Test
	void killAfterPause_isPossible() {
		this.redis.pause();
		this.redis.kill();
		assertThat(this.redis.isRunning()).isFalse();
	}

	@Test
	void restartFrom_bringsBackTheDataOfTheSnapshot() {
		this.redis.call((commands) -> commands.set("key", "old"));
		Path snapshot = this.redis.snapshot();
		this.redis.call((commands) -> commands.set("key", "new"));
		this.redis.restartFrom(snapshot);
		assertThat(get("key")).isEqualTo("old");
	}

	@Test
	void ttlCheck_failsForAKeyWithoutTtl_andOnlyInItsNamespace() {
		this.redis.call((commands) -> commands.set("foreign", "value"));
		this.redis.call((commands) -> commands.psetex("spring:session:sessions:a", 60_000, "value"));
		RealServersExtension.assertEveryKeyHasTtl(this.redis, "spring:session");
		this.redis.call((commands) -> commands.set("spring:session:sessions:b", "value"));
		assertThatExceptionOfType(AssertionError.class)
			.isThrownBy(() -> RealServersExtension.assertEveryKeyHasTtl(this.redis, "spring:session"))
			.withMessageContaining("sessions:b");
	}

	@Test
	void replica_lagsBehindACutWire_isPromotedAsItIs_andCaughtUpOnlyOnceItHasTheRest() {
		try (RedisServer replica = RedisServer.start(); Wire wire = Wire.to(this.redis.host(), this.redis.port())) {
			this.redis.call((commands) -> commands.set("key", "old"));
			replica.replicaOf(wire.host(), wire.port());
			replica.awaitReplicated(this.redis);
			assertThat(get(replica, "key")).isEqualTo("old");
			assertThatExceptionOfType(RedisException.class)
				.isThrownBy(() -> replica.call((commands) -> commands.set("key", "new")))
				.withMessageContaining("READONLY");
			wire.cut();
			this.redis.call((commands) -> commands.set("key", "new"));
			replica.promote();
			assertThat(get(replica, "key")).isEqualTo("old");
			assertThat(replica.isAsStarted()).isTrue();
			replica.replicaOf(this.redis);
			assertThat(get(replica, "key")).isEqualTo("new");
			assertThat(this.redis.isAsStarted()).isFalse();
		}
	}

	@Test
	void fault_isNoticed_untilItIsUndone() {
		assertThat(this.redis.isAsStarted()).isTrue();
		this.redis.requirePassword("secret");
		assertThat(get("key")).isNull();
		assertThat(this.redis.isAsStarted()).isFalse();
		this.redis.killClients();
		this.redis.requirePassword("");
		assertThat(this.redis.isAsStarted()).isTrue();
		this.redis.configSet("maxmemory-policy", "allkeys-lru");
		assertThat(this.redis.isAsStarted()).isFalse();
		this.redis.requirePassword("secret");
		this.redis.restartEmpty();
		assertThat(this.redis.isAsStarted()).isTrue();
	}

	@Test
	void clientPause_holdsAnswersBack_andEnds() {
		this.redis.clientPause(Duration.ofMillis(300));
		long start = System.nanoTime();
		assertThat(get("key")).isNull();
		assertThat(Duration.ofNanos(System.nanoTime() - start)).isGreaterThan(Duration.ofMillis(200));
		assertThat(this.redis.isAsStarted()).isTrue();
	}

	@Test
	void flood_evictsWhatIsThere_orIsRefused_dependingOnThePolicy() {
		this.redis.call((commands) -> commands.psetex("ours", 60_000, "value"));
		this.redis.configSet("maxmemory", Long.toString(this.redis.usedMemory() + (2 << 20)));
		assertThat(this.redis.floodForeignKeys(5_000, 1_000)).isBetween(1, 4_999);
		assertThat(get("ours")).isEqualTo("value");
		this.redis.configSet("maxmemory-policy", "allkeys-lru");
		assertThat(this.redis.floodForeignKeys(20_000, 1_000)).isEqualTo(20_000);
		assertThat(this.redis.keys("*").size()).isLessThan(5_000);
	}

	private String get(String key) {
		return get(this.redis, key);
	}

	private static String get(RedisServer server, String key) {
		return server.call((commands) -> commands.get(key));
	}

}

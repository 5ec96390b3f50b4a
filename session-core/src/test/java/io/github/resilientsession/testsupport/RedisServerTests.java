package io.github.resilientsession.testsupport;

import java.io.IOException;
import java.net.Socket;
import java.nio.file.Path;

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

	private String get(String key) {
		return this.redis.call((commands) -> commands.get(key));
	}

}

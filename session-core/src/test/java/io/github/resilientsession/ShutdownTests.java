package io.github.resilientsession;

import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

import io.github.resilientsession.testsupport.Fault;
import io.github.resilientsession.testsupport.PostgresServer;
import io.github.resilientsession.testsupport.RealServers;
import io.github.resilientsession.testsupport.RedisServer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import org.springframework.data.redis.connection.RedisStandaloneConfiguration;
import org.springframework.data.redis.connection.lettuce.LettuceClientConfiguration;
import org.springframework.data.redis.connection.lettuce.LettuceConnectionFactory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.awaitility.Awaitility.await;

/**
 * A node is stopped: what waits in its memory is written first.
 */
@RealServers
class ShutdownTests {

	/**
	 * What Spring gives each phase of a shutdown, unless the application says otherwise.
	 */
	private static final Duration PHASE = Duration.ofSeconds(30);

	private final RedisServer redis;

	private final PostgresServer postgres;

	private final String url;

	/**
	 * So slow that nothing is written but by closing it.
	 */
	private SessionNode node;

	ShutdownTests(RedisServer redis, PostgresServer postgres) {
		this.redis = redis;
		this.postgres = postgres;
		this.url = postgres.createDatabase();
	}

	@BeforeEach
	void start() {
		this.node = SessionNode.on(this.redis, this.url).reconcileInterval(Duration.ofHours(1)).start();
	}

	@AfterEach
	void stop() {
		this.node.close();
	}

	@Test
	void close_endsAlthoughTheRedisClientDoesNotEnd() {
		CountDownLatch ended = new CountDownLatch(1);
		SessionNode other = SessionNode.on(this.redis, this.url)
			.redisConnections((connections) -> neverClosing(connections.getClientConfiguration(), ended))
			.start();
		try {
			assertThat(other.get(other.create("a", "1"), "a")).isEqualTo("1");
			assertThat(CompletableFuture.runAsync(other::close)).succeedsWithin(PHASE);
			assertThat(ended.getCount()).isOne();
		}
		finally {
			ended.countDown();
		}
	}

	private LettuceConnectionFactory neverClosing(LettuceClientConfiguration configuration, CountDownLatch ended) {
		LettuceConnectionFactory connections = new LettuceConnectionFactory(
				new RedisStandaloneConfiguration(this.redis.host(), this.redis.port()), configuration) {

			@Override
			public void destroy() {
				try {
					ended.await();
				}
				catch (InterruptedException ex) {
					throw new IllegalStateException(ex);
				}
				super.destroy();
			}

		};
		connections.setValidateConnection(false);
		connections.afterPropertiesSet();
		return connections;
	}

	@Test
	void close_writesTouchesThatWait() {
		List<String> ids = List.of(this.node.create("a", "1"), this.node.create("a", "1"));
		Instant later = Instant.now().plusSeconds(100).truncatedTo(ChronoUnit.MILLIS);
		for (String id : ids) {
			ResilientSession session = this.node.find(id);
			session.setLastAccessedTime(later);
			this.node.repository.save(session);
			assertThat(lastAccess(id)).isBefore(later);
		}
		this.node.close();
		ids.forEach((id) -> assertThat(lastAccess(id)).isEqualTo(later));
	}

	@Test
	void close_persistsWhatOnlyRedisHas() {
		String changed = this.node.create("a", "1");
		String ended = this.node.create("a", "1");
		this.postgres.kill();
		this.node.set(changed, "a", "2");
		String created = this.node.create("a", "1");
		this.node.repository.deleteById(ended);
		this.postgres.restart();
		await().atMost(Duration.ofSeconds(20)).until(() -> !this.node.durableIsCutOff());
		assertThat(this.node.unpersisted()).containsExactlyInAnyOrder(changed, created, ended);
		this.node.close();
		this.redis.flushAll();
		try (SessionNode next = SessionNode.on(this.redis, this.url).start()) {
			assertThat(next.get(changed, "a")).isEqualTo("2");
			assertThat(next.get(created, "a")).isEqualTo("1");
			assertThat(next.repository.findById(ended)).isNull();
		}
	}

	@Test
	void close_whileBothStoresHang_endsWithinAPhaseOfTheShutdown() throws Exception {
		String id = this.node.create("a", "1");
		ResilientSession session = this.node.find(id);
		session.setLastAccessedTime(Instant.now().plusSeconds(100));
		this.node.repository.save(session);
		this.redis.pause();
		closesWithinAPhaseWhileTheDatabaseHangs();
	}

	@ParameterizedTest
	@ValueSource(booleans = { true, false })
	void close_withWritesThatOnlyRedisHas_whileStoresHang_endsWithinAPhase_andLosesNothing(boolean redisHangs)
			throws Exception {
		List<String> ids = new ArrayList<>();
		// Not down, so that the node still tries to persist them when it is closed.
		try (Fault full = this.postgres.refuseWrites(this.url, "resilient_session", "53100")) {
			for (int i = 0; i < 50; i++) {
				ids.add(this.node.create("a", "1"));
			}
			assertThat(this.node.unpersisted()).hasSize(50);
			assertThat(this.node.durableIsCutOff()).isFalse();
		}
		if (redisHangs) {
			this.redis.pause();
		}
		closesWithinAPhaseWhileTheDatabaseHangs();
		try (SessionNode next = SessionNode.on(this.redis, this.url).start()) {
			ids.forEach((id) -> next.set(id, "b", "1"));
			this.redis.flushAll();
			ids.forEach((id) -> assertThat(next.get(id, "a")).isEqualTo("1"));
		}
	}

	private void closesWithinAPhaseWhileTheDatabaseHangs() throws Exception {
		this.postgres.pause();
		try {
			CompletableFuture.runAsync(this.node::close).get(PHASE.toSeconds(), TimeUnit.SECONDS);
		}
		finally {
			this.redis.resume();
			this.postgres.resume();
		}
	}

	@Test
	void requestAfterTheClose_isUnavailable_andNoLogout() {
		String id = this.node.create("a", "1");
		ResilientSession session = this.node.find(id);
		this.node.close();
		assertThatExceptionOfType(SessionStoreUnavailableException.class)
			.isThrownBy(() -> this.node.repository.findById(id));
		session.setAttribute("a", "2");
		assertThatExceptionOfType(SessionStoreUnavailableException.class)
			.isThrownBy(() -> this.node.repository.save(session));
		assertThatExceptionOfType(SessionStoreUnavailableException.class)
			.isThrownBy(() -> this.node.repository.deleteById(id));
	}

	private Instant lastAccess(String id) {
		return Instant.ofEpochMilli(this.postgres.queryForLong(PostgresServer.database(this.url),
				"select last_accessed_at from resilient_session where session_id = '" + id + "'"));
	}

}

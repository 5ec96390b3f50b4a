package io.github.resilientsession;

import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;

import io.github.resilientsession.testsupport.RealServers;
import io.github.resilientsession.testsupport.RedisServer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.awaitility.Awaitility.await;

/**
 * Writes that Redis misses, and Redis coming back.
 */
@RealServers
class PendingTests {

	private final RedisServer redis;

	private final String url = "jdbc:h2:mem:" + UUID.randomUUID() + ";DB_CLOSE_DELAY=-1";

	private SessionNode node;

	PendingTests(RedisServer redis) {
		this.redis = redis;
	}

	@BeforeEach
	void start() {
		this.node = SessionNode.on(this.redis, this.url).start();
	}

	@AfterEach
	void stop() {
		this.node.close();
	}

	@Test
	void redisKilled_everythingGoesOn_andRedisWithOldDataIsSettledBeforeItIsTrusted() {
		String changed = this.node.create("a", "0");
		String ended = this.node.create("a", "0");
		String moved = this.node.create("a", "0");
		Path old = this.redis.snapshot();
		this.redis.kill();
		this.node.set(changed, "a", "1");
		this.node.repository.deleteById(ended);
		ResilientSession moving = this.node.find(moved);
		String newId = moving.changeSessionId();
		this.node.repository.save(moving);
		String created = this.node.create("a", "1");
		cutOff();
		this.node.set(changed, "b", "1");
		this.redis.restartFrom(old);
		for (int i = 0; i < 200; i++) {
			assertThat(this.node.get(changed, "a")).isEqualTo("1");
			assertThat(this.node.get(changed, "b")).isEqualTo("1");
			assertThat(this.node.repository.findById(ended)).isNull();
			assertThat(this.node.repository.findById(moved)).isNull();
			assertThat(this.node.get(newId, "a")).isEqualTo("0");
			assertThat(this.node.get(created, "a")).isEqualTo("1");
		}
		back();
		long hits = this.node.events.of("redisHit");
		assertThat(this.node.get(changed, "a")).isEqualTo("1");
		assertThat(this.node.repository.findById(ended)).isNull();
		assertThat(this.node.repository.findById(moved)).isNull();
		assertThat(this.node.events.of("redisHit")).isGreaterThan(hits);
	}

	@Test
	void redisHung_callsReturnWithinTheTimeLimit_andWhatItMissedIsThereWhenItWakes() {
		String id = this.node.create("a", "0");
		this.redis.pause();
		for (int i = 1; i <= 20; i++) {
			long start = System.nanoTime();
			this.node.set(id, "a", Integer.toString(i));
			Duration took = Duration.ofNanos(System.nanoTime() - start);
			// A read and a write, each 250 ms for Redis and 2 s for the database.
			assertThat(took).isLessThan(Duration.ofMillis(2 * (250 + 2_000)));
		}
		assertThat(this.node.redisIsCutOff()).isTrue();
		this.redis.resume();
		for (int i = 0; i < 200; i++) {
			assertThat(this.node.get(id, "a")).isEqualTo("20");
		}
		back();
		assertThat(this.node.get(id, "a")).isEqualTo("20");
	}

	@Test
	void redisBackEmpty_isRebuilt() {
		List<String> ids = new ArrayList<>();
		for (int i = 0; i < 20; i++) {
			ids.add(this.node.create("a", "1"));
		}
		this.redis.kill();
		ids.forEach((id) -> assertThat(this.node.get(id, "a")).isEqualTo("1"));
		this.redis.restartEmpty();
		back();
		ids.forEach((id) -> assertThat(this.node.get(id, "a")).isEqualTo("1"));
		await().untilAsserted(() -> assertThat(this.redis.keys("spring:session:sessions:*")).hasSize(20));
	}

	@Test
	void redisOutOfMemory_writesAreKept_andNoOldStateIsRead() {
		String id = this.node.create("a", "0");
		this.redis.configSet("maxmemory", "1");
		this.node.set(id, "a", "1");
		assertThat(this.node.get(id, "a")).isEqualTo("1");
		String created = this.node.create("a", "1");
		assertThat(this.node.get(created, "a")).isEqualTo("1");
		this.node.repository.deleteById(created);
		assertThat(this.node.repository.findById(created)).isNull();
		assertThat(this.node.redisIsCutOff()).isFalse();
		this.redis.configSet("maxmemory", "0");
		await().untilAsserted(() -> assertThat(this.redis.keys("spring:session:sessions:" + id)).hasSize(1));
		assertThat(this.node.get(id, "a")).isEqualTo("1");
	}

	@Test
	void redisReadOnly_isCutOff_andWritesAreKept() {
		String id = this.node.create("a", "0");
		this.redis.call((commands) -> commands.replicaof("127.0.0.1", 1));
		for (int i = 1; i <= 20; i++) {
			this.node.set(id, "a", Integer.toString(i));
			assertThat(this.node.get(id, "a")).isEqualTo(Integer.toString(i));
		}
		this.redis.call((commands) -> commands.replicaofNoOne());
		back();
		assertThat(this.node.get(id, "a")).isEqualTo("20");
	}

	@Test
	void noStoreAnswers_isUnavailable_andNeverAbsent() {
		String id = this.node.create("a", "0");
		try (SessionNode alone = SessionNode.on(this.redis, "jdbc:postgresql://localhost:1/none")
			.redisPort(1)
			.start()) {
			for (int i = 0; i < 20; i++) {
				assertThatExceptionOfType(SessionStoreUnavailableException.class)
					.isThrownBy(() -> alone.repository.findById(id))
					.withMessageNotContaining(id)
					.satisfies((ex) -> assertThat(ex.retryAfter()).isEqualTo(Duration.ofSeconds(5)));
			}
			assertThatExceptionOfType(SessionStoreUnavailableException.class).isThrownBy(() -> alone.create("a", "1"));
			assertThatExceptionOfType(SessionStoreUnavailableException.class)
				.isThrownBy(() -> alone.repository.deleteById(id));
		}
	}

	@Test
	void nodeThatCannotSeeRedis_servesAndWrites_andTheOtherNodeSeesItSoon() {
		try (SessionNode blind = SessionNode.on(this.redis, this.url).redisPort(1).start()) {
			String id = this.node.create("a", "0");
			blind.set(id, "a", "1");
			await().untilAsserted(() -> assertThat(this.node.get(id, "a")).isEqualTo("1"));
			assertThat(blind.get(id, "a")).isEqualTo("1");
			blind.repository.deleteById(id);
			await().untilAsserted(() -> assertThat(this.node.repository.findById(id)).isNull());
		}
	}

	@Test
	void keyThatIsNoCopy_doesNotKeepRedisCutOff() {
		String id = this.node.create("a", "0");
		this.redis.kill();
		this.node.set(id, "a", "1");
		this.redis.restartEmpty();
		this.redis.call((commands) -> commands.setex("spring:session:sessions:" + id, 100, "foreign"));
		back();
		assertThat(this.node.get(id, "a")).isEqualTo("1");
	}

	@Test
	void redisComesBack_whileManyWrite_isTrustedAgain() throws Exception {
		String id = this.node.create("a", "0");
		this.redis.kill();
		cutOff();
		AtomicBoolean stop = new AtomicBoolean();
		AtomicInteger failed = new AtomicInteger();
		List<Thread> writers = new ArrayList<>();
		for (int i = 0; i < 6; i++) {
			writers.add(new Thread(() -> {
				while (!stop.get()) {
					failed.incrementAndGet();
					this.node.create("a", "1");
					failed.decrementAndGet();
				}
			}));
		}
		writers.forEach(Thread::start);
		try {
			this.redis.restartEmpty();
			back();
			assertThat(this.node.get(id, "a")).isEqualTo("0");
		}
		finally {
			stop.set(true);
			for (Thread writer : writers) {
				writer.join();
			}
		}
		assertThat(failed).hasValue(0);
	}

	@Test
	void lateSave_ofAnEndedSessionThatRedisStillHolds_endsTheCopy() {
		String id = this.node.create("a", "0");
		ResilientSession stale = this.node.find(id);
		Path old = this.redis.snapshot();
		this.node.repository.deleteById(id);
		this.redis.restartFrom(old);
		back();
		stale.setAttribute("a", "1");
		this.node.repository.save(stale);
		assertThat(this.node.events.of("lateSaveDropped")).isEqualTo(1);
		assertThat(
				this.redis.<String>call((commands) -> commands.hget("spring:session:sessions:" + id, "sessionAttr:a")))
			.isNull();
		assertThat(this.node.repository.findById(id)).isNull();
	}

	@Test
	void endOfASessionWithoutARow_isNotUndoneByASlowerSave() {
		String id = this.node.create("a", "0");
		// As plain Spring Session would have left it.
		this.redis.call((commands) -> commands.hdel("spring:session:sessions:" + id, "version"));
		try (SessionNode elsewhere = SessionNode
			.on(this.redis, "jdbc:h2:mem:" + UUID.randomUUID() + ";DB_CLOSE_DELAY=-1")
			.start()) {
			// For the other database this is a session that it has never seen.
			ResilientSession slow = elsewhere.find(id);
			elsewhere.repository.deleteById(id);
			slow.setAttribute("a", "1");
			elsewhere.repository.save(slow);
			this.redis.flushAll();
			assertThat(elsewhere.repository.findById(id)).isNull();
		}
	}

	@Test
	void interruptedCaller_doesNotCutRedisOff_andIsStillInterrupted() {
		String id = this.node.create("a", "0");
		for (int i = 0; i < 20; i++) {
			Thread.currentThread().interrupt();
			this.node.set(id, "a", Integer.toString(i));
			assertThat(Thread.interrupted()).isTrue();
		}
		assertThat(this.node.redisIsCutOff()).isFalse();
		assertThat(this.node.durableIsCutOff()).isFalse();
		assertThat(this.node.get(id, "a")).isEqualTo("19");
	}

	private void cutOff() {
		await().untilAsserted(() -> {
			this.node.create("a", "1");
			assertThat(this.node.redisIsCutOff()).isTrue();
		});
	}

	private void back() {
		await().untilAsserted(() -> assertThat(this.node.redisIsCutOff()).isFalse());
	}

}

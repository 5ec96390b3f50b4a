package io.github.resilientsession;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicReference;

import io.github.resilientsession.testsupport.PostgresServer;
import io.github.resilientsession.testsupport.RealServers;
import io.github.resilientsession.testsupport.RedisServer;
import io.github.resilientsession.testsupport.Wire;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

/**
 * Every way in which Redis fails while the database works: everything goes on, and Redis
 * is used and right again afterwards.
 */
@RealServers
class RedisFaultTests {

	private final CarefulClient client = new CarefulClient();

	private final RedisServer redis;

	private final Wire wire;

	private final String url;

	private SessionNode node;

	RedisFaultTests(RedisServer redis, PostgresServer postgres) {
		this.redis = redis;
		this.wire = Wire.to(redis.host(), redis.port());
		this.url = postgres.createDatabase();
	}

	@BeforeEach
	void start() {
		this.node = SessionNode.on(this.redis, this.url).redis(this.wire).start();
	}

	@AfterEach
	void stop() {
		this.node.close();
		this.wire.close();
	}

	@Test
	void redisKilled_everythingGoesOn() {
		strikes(this.redis::kill, this.redis::restartEmpty);
	}

	@Test
	void redisStopped_everythingGoesOn_andWhatItDoesWhenItWakesHurtsNobody() {
		strikes(this.redis::pause, this.redis::resume);
	}

	@Test
	void redisRestartedEmpty_nobodyIsLoggedOut() {
		strikes(this.redis::restartEmpty, () -> {
		});
	}

	@Test
	void redisFlushed_nobodyIsLoggedOut() {
		strikes(this.redis::flushAll, () -> {
		});
	}

	@Test
	void redisForgetsItsScripts_nobodyNotices() {
		survives(this.redis::scriptFlush, () -> {
		});
		assertThat(this.node.events.of("redisUnavailable")).isZero();
		assertThat(this.node.events.of("redisPending")).isZero();
	}

	@Test
	void redisBecomesAReplica_andAMasterAgain_everythingGoesOn() {
		try (RedisServer master = RedisServer.start()) {
			strikes(() -> this.redis.replicaOf(master), this.redis::promote);
		}
	}

	@Test
	void redisPausesItsClients_everythingGoesOn() {
		strikes(() -> this.redis.clientPause(Duration.ofMillis(1_500)), () -> {
		});
	}

	@Test
	void redisAsksForAPassword_connectionsThatAreThereStay() {
		survives(() -> this.redis.requirePassword("secret"), () -> this.redis.requirePassword(""));
		assertThat(this.node.events.of("redisUnavailable")).isZero();
	}

	@Test
	void redisAsksForAPassword_andDropsItsClients_everythingGoesOn() {
		survives(() -> {
			this.redis.requirePassword("secret");
			this.redis.killClients();
		}, () -> this.redis.requirePassword(""));
		assertThat(this.node.events.of("redisUnavailable")).isPositive();
	}

	@Test
	void redisStillLoadsItsData_everythingGoesOn() {
		// Slow enough to be met while it does; it says so once for every 2 MB.
		try (RedisServer slow = RedisServer.start(Map.of("key-load-delay", "5000", "rdbcompression", "no"));
				SessionNode other = SessionNode.on(slow, this.url).start()) {
			List<String> ids = this.client.login(other, 100);
			slow.floodForeignKeys(300, 100_000);
			Path snapshot = slow.snapshot();
			ids.subList(0, 50).forEach((id) -> this.client.write(other, id));
			CompletableFuture<Void> restart = CompletableFuture.runAsync(() -> slow.restartFrom(snapshot));
			await().ignoreExceptions()
				.until(() -> slow.<String>call((commands) -> commands.info("persistence")).contains("loading:1"));
			assertThat(restart).isNotDone();
			this.client.readAll(other);
			ids.subList(25, 75).forEach((id) -> this.client.write(other, id));
			restart.join();
			await().until(() -> !other.redisIsCutOff());
			this.client.readAll(other);
		}
	}

	@Test
	void wireToRedisCut_everythingGoesOn() {
		strikes(this.wire::cut, this.wire::heal);
	}

	@Test
	void wireToRedisSwallowsEverything_andGivesItBackLater_everythingGoesOn() {
		strikes(this.wire::blackhole, this.wire::heal);
	}

	@Test
	void connectionToRedisDiesWithoutAWord_everythingGoesOn_andAnotherOneTakesItsPlace() {
		strikes(this.wire::killSilently,
				() -> await().atMost(Duration.ofSeconds(30)).until(() -> !this.node.redisIsCutOff()));
	}

	@Test
	void redisThatTakesNoWrites_isNoticedByANodeThatOnlyReads_andOnceTooOftenForChance() {
		this.client.login(this.node);
		try (RedisServer master = RedisServer.start()) {
			this.redis.replicaOf(master);
			await().until(this.node::redisIsCutOff);
			this.redis.promote();
		}
		await().until(() -> !this.node.redisIsCutOff());
		this.client.readAll(this.node);
	}

	@Test
	void wireToRedisAlmostTooSlow_everythingGoesOn() {
		survives(() -> this.wire.delay(SessionNode.REDIS_TIME_LIMIT.multipliedBy(4).dividedBy(10)), this.wire::heal);
	}

	@Test
	void wireToRedisTooSlow_everythingGoesOn() {
		strikes(() -> this.wire.delay(SessionNode.REDIS_TIME_LIMIT.multipliedBy(6).dividedBy(10)), this.wire::heal);
	}

	@Test
	void replyOfRedisCutHalfWay_doesNotMatter_whetherItIsToAReadOrAWriteOrAnEnd() {
		String id = this.client.login(this.node);
		this.wire.cutMidReply(id, 6);
		this.client.read(this.node, id);
		assertThat(this.wire.replyWasCut()).isTrue();
		this.client.write(this.node, id);
		this.client.read(this.node, id);
		isServedByRedisAgain();
		this.client.write(this.node, id, (session) -> this.wire.cutMidReply(id, 2));
		assertThat(this.wire.replyWasCut()).isTrue();
		this.client.read(this.node, id);
		isServedByRedisAgain();
		this.wire.cutMidReply(id, 0);
		this.client.logout(this.node, id);
		assertThat(this.wire.replyWasCut()).isTrue();
		this.client.readAll(this.node);
		isServedByRedisAgain();
	}

	@Test
	void redisFilledUpToItsMemory_everythingGoesOn_andWhatItMissedIsThereWhenItHasRoom() {
		List<String> growing = this.client.login(this.node, 10);
		strikes(() -> {
			this.redis.configSet("maxmemory", Long.toString(this.redis.usedMemory() + (3 << 20)));
			assertThat(this.redis.floodForeignKeys(10_000, 1_000)).isLessThan(10_000);
			for (int i = 0; i < 500 && this.node.events.of("redisPending") == 0; i++) {
				byte[] more = new byte[1_000 * i];
				this.client.write(this.node, growing.get(i % 10), (session) -> session.setAttribute("more", more));
			}
			assertThat(this.node.events.of("redisPending")).isPositive();
			assertThat(this.node.redisIsCutOff()).isFalse();
		}, () -> this.redis.configSet("maxmemory", "0"));
	}

	@Test
	void redisEvictsSessions_forAFloodOfForeignKeys_nobodyIsLoggedOut() {
		this.client.login(this.node, 50);
		survives(() -> {
			this.redis.configSet("maxmemory-policy", "allkeys-lru");
			this.redis.configSet("maxmemory", Long.toString(this.redis.usedMemory() + (2 << 20)));
			assertThat(this.redis.floodForeignKeys(10_000, 1_000)).isEqualTo(10_000);
			assertThat(this.redis.keys("spring:session:sessions:*").size()).isLessThan(50);
		}, () -> this.redis.configSet("maxmemory", "0"));
		assertThat(this.node.events.of("lostByRedis")).isPositive();
	}

	@Test
	void replicaPromoted_thatHasEverything_everythingGoesOn() {
		try (RedisServer replica = RedisServer.start()) {
			replica.replicaOf(this.redis);
			survives(() -> {
				replica.awaitReplicated(this.redis);
				failOverTo(replica);
			}, () -> {
			});
			assertThat(replica.keysWithoutTtl("spring:session")).isEmpty();
		}
	}

	@Test
	void replicaPromoted_thatLagsBehind_nothingOldIsRead() {
		try (RedisServer replica = RedisServer.start();
				Wire replication = Wire.to(this.redis.host(), this.redis.port())) {
			replica.replicaOf(replication.host(), replication.port());
			goesBack(() -> {
				replica.awaitReplicated(this.redis);
				replication.cut();
			}, () -> failOverTo(replica));
			assertThat(replica.keysWithoutTtl("spring:session")).isEmpty();
		}
	}

	@Test
	void redisRestartedFromAnOldSnapshot_nothingOldIsRead() {
		AtomicReference<Path> snapshot = new AtomicReference<>();
		goesBack(() -> snapshot.set(this.redis.snapshot()), () -> this.redis.restartFrom(snapshot.get()));
	}

	private void failOverTo(RedisServer replica) {
		this.redis.kill();
		replica.promote();
		this.wire.redirect(replica.host(), replica.port());
	}

	/**
	 * Redis comes back as it was, while nobody has written and nobody was cut off.
	 */
	private void goesBack(Runnable remember, Runnable goBack) {
		String changed = this.client.login(this.node);
		String ended = this.client.login(this.node);
		String moved = this.client.login(this.node);
		this.client.write(this.node, changed);
		remember.run();
		this.client.write(this.node, changed);
		this.client.logout(this.node, ended);
		this.client.changeId(this.node, moved);
		this.client.login(this.node);
		goBack.run();
		for (int i = 0; i < 20; i++) {
			this.client.readAll(this.node);
		}
		isServedByRedisAgain();
		this.client.write(this.node, changed);
		this.client.readAll(this.node);
	}

	/**
	 * Like {@link #survives}, and the node notices.
	 */
	private void strikes(Runnable fault, Runnable healing) {
		survives(fault, healing);
		assertThat(this.node.events.of("redisUnavailable") + this.node.events.of("lostByRedis")
				+ this.node.events.of("redisPending"))
			.isPositive();
	}

	private void survives(Runnable fault, Runnable healing) {
		String changed = this.client.login(this.node);
		String ended = this.client.login(this.node);
		String moved = this.client.login(this.node);
		this.client.login(this.node, 3);
		this.client.readAll(this.node);
		fault.run();
		for (int i = 0; i < 6; i++) {
			this.client.write(this.node, changed);
			this.client.read(this.node, changed);
		}
		this.client.logout(this.node, ended);
		String newId = this.client.changeId(this.node, moved);
		String created = this.client.login(this.node);
		this.client.write(this.node, newId);
		this.client.write(this.node, created);
		this.client.readAll(this.node);
		healing.run();
		for (int i = 0; i < 20; i++) {
			this.client.readAll(this.node);
		}
		isServedByRedisAgain();
		this.client.write(this.node, changed);
		this.client.readAll(this.node);
	}

	/**
	 * Redis answers the node for every live session, and tells another node, whom nobody
	 * has told of the fault, nothing old.
	 */
	private void isServedByRedisAgain() {
		await().untilAsserted(() -> assertThat(this.node.redisIsCutOff()).isFalse());
		await().untilAsserted(() -> {
			long hits = this.node.events.of("redisHit");
			this.client.readAll(this.node);
			assertThat(this.node.events.of("redisHit") - hits).isEqualTo(this.client.live());
		});
		try (SessionNode other = SessionNode.on(this.wire.host(), this.wire.port(), this.url).start()) {
			this.client.readAll(other);
			assertThat(other.events.of("redisHit")).isEqualTo(this.client.live());
		}
	}

}

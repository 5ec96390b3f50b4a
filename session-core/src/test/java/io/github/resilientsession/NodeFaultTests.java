package io.github.resilientsession;

import java.time.Duration;

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
 * Faults of one node among several.
 */
@RealServers
class NodeFaultTests {

	/**
	 * How long another node may read the state before a write that Redis has missed:
	 * until it next looks for such writes, and for as long as telling Redis may take.
	 */
	private static final Duration BOUND = SessionNode.RECONCILE_INTERVAL.plus(SessionNode.DURABLE_TIME_LIMIT)
		.plus(SessionNode.REDIS_TIME_LIMIT);

	private final CarefulClient client = new CarefulClient();

	private final RedisServer redis;

	private final PostgresServer postgres;

	private final Wire wire;

	private final String url;

	private SessionNode node;

	NodeFaultTests(RedisServer redis, PostgresServer postgres) {
		this.redis = redis;
		this.postgres = postgres;
		this.wire = Wire.to(redis.host(), redis.port());
		this.url = postgres.createDatabase();
	}

	@BeforeEach
	void start() {
		this.node = SessionNode.on(this.redis, this.url).start();
	}

	@AfterEach
	void stop() {
		this.node.close();
		this.wire.close();
	}

	@Test
	void nodeKilledBetweenItsCommitAndRedis_losesNothingAcknowledged_andTheNextWriteRepairsTheCopy() {
		String id = this.client.login(this.node);
		this.client.write(this.node, id);
		killAfterCommit(id, NodeProcess.Request.SET);
		this.client.read(this.node, id);
		this.client.write(this.node, id);
		assertThat(this.node.get(id, "killed")).isEqualTo("1");
		this.client.readAll(this.node);
		this.redis.flushAll();
		assertThat(this.node.get(id, "killed")).isEqualTo("1");
		this.client.readAll(this.node);
	}

	@Test
	void nodeKilledBetweenEndingASessionAndRedis_theNextWriteEndsTheCopy() {
		String id = this.client.login(this.node);
		killAfterCommit(id, NodeProcess.Request.END);
		ResilientSession left = this.node.repository.findById(id);
		if (left != null) {
			left.setAttribute("count", 1);
			this.node.repository.save(left);
		}
		assertThat(this.node.repository.findById(id)).isNull();
		this.redis.flushAll();
		assertThat(this.node.repository.findById(id)).isNull();
	}

	@Test
	void nodeCutOffFromRedis_andAnotherOneThatIsNot_seeEachOthersWrites() {
		seeEachOthersWrites(this.wire::cut);
	}

	@Test
	void nodeThatHearsNothingFromRedis_andAnotherOneThatDoes_seeEachOthersWrites() {
		seeEachOthersWrites(this.wire::blackhole);
	}

	private void seeEachOthersWrites(Runnable fault) {
		try (SessionNode blind = SessionNode.on(this.redis, this.url).redis(this.wire).start()) {
			String id = this.client.login(this.node);
			String endedByBlind = this.client.login(this.node);
			String endedByOther = this.client.login(this.node);
			String movedByBlind = this.client.login(this.node);
			this.client.readAll(blind);
			fault.run();
			for (int i = 0; i < 5; i++) {
				this.client.write(blind, id);
				this.client.read(blind, id);
				seenWithinTheBound(id);
				this.client.write(this.node, id);
				this.client.read(blind, id);
			}
			this.client.logout(blind, endedByBlind);
			seenWithinTheBound(endedByBlind);
			this.client.logout(this.node, endedByOther);
			this.client.read(blind, endedByOther);
			String newId = this.client.changeId(blind, movedByBlind);
			seenWithinTheBound(movedByBlind);
			seenWithinTheBound(newId);
			bothWriteAtOnce(blind, id);
			this.wire.heal();
			for (int i = 0; i < 20; i++) {
				this.client.readAll(blind);
				this.client.readAll(this.node);
			}
			await().untilAsserted(() -> assertThat(blind.redisIsCutOff()).isFalse());
			long hits = blind.events.of("redisHit");
			this.client.readAll(blind);
			assertThat(blind.events.of("redisHit") - hits).isEqualTo(this.client.live());
		}
	}

	/**
	 * Requests that overlap on both nodes: neither loses an attribute.
	 */
	private void bothWriteAtOnce(SessionNode blind, String id) {
		ResilientSession here = this.node.find(id);
		ResilientSession there = blind.find(id);
		here.setAttribute("here", "1");
		there.setAttribute("there", "1");
		this.node.repository.save(here);
		blind.repository.save(there);
		assertThat(blind.get(id, "here")).isEqualTo("1");
		assertThat(blind.get(id, "there")).isEqualTo("1");
		await().atMost(BOUND).untilAsserted(() -> assertThat(this.node.get(id, "there")).isEqualTo("1"));
		assertThat(this.node.get(id, "here")).isEqualTo("1");
	}

	private void seenWithinTheBound(String id) {
		await().atMost(BOUND).untilAsserted(() -> this.client.read(this.node, id));
	}

	private void killAfterCommit(String id, NodeProcess.Request request) {
		try (NodeProcess killed = NodeProcess.start(this.wire, this.url, id, request)) {
			long version = version(id);
			this.wire.blackhole();
			killed.go();
			await().until(() -> version(id) > version);
			assertThat(killed.isWorking()).isTrue();
			killed.kill();
			// What it has sent to Redis never arrives.
			this.wire.cut();
		}
		assertThat(this.postgres.queryForLong(PostgresServer.database(this.url),
				"select count(*) from resilient_session where redis_pending"))
			.isZero();
	}

	private long version(String id) {
		return this.postgres.queryForLong(PostgresServer.database(this.url),
				"select version from resilient_session where session_id = '" + id + "'");
	}

}

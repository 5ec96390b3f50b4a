package io.github.resilientsession;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;

import io.github.resilientsession.testsupport.Fault;
import io.github.resilientsession.testsupport.PostgresServer;
import io.github.resilientsession.testsupport.RealServers;
import io.github.resilientsession.testsupport.RedisServer;
import io.github.resilientsession.testsupport.Wire;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.awaitility.Awaitility.await;

/**
 * Every way in which the database fails while Redis works: what Redis has is served,
 * nothing is reported as absent, and whatever was acknowledged is in the database when it
 * is back.
 */
@RealServers
class DatabaseFaultTests {

	private static final String TABLE = "resilient_session";

	private final CarefulClient client = new CarefulClient();

	private final RedisServer redis;

	private final PostgresServer postgres;

	private final Wire wire;

	private final String url;

	private SessionNode node;

	DatabaseFaultTests(RedisServer redis, PostgresServer postgres) {
		this.redis = redis;
		this.postgres = postgres;
		this.wire = Wire.to(postgres.host(), postgres.port());
		this.url = postgres.createDatabase();
	}

	@BeforeEach
	void start() {
		this.node = SessionNode.on(this.redis, this.url).database(this.wire).start();
	}

	@AfterEach
	void stop() {
		this.node.close();
		this.wire.close();
	}

	@Test
	void databaseKilled_whatRedisHasIsServed_andTheRestIsUnavailable() {
		survives(this.postgres::kill, this.postgres::restart);
	}

	@Test
	void databaseStopped_whatRedisHasIsServed_andNobodyWaitsForLongerThanTheLimit() {
		survives(this.postgres::pause, this.postgres::resume);
	}

	@Test
	void wireToTheDatabaseCut_whatRedisHasIsServed() {
		survives(this.wire::cut, this.wire::heal);
	}

	@Test
	void wireToTheDatabaseSwallowsEverything_andGivesItBackLater_whatRedisHasIsServed() {
		survives(this.wire::blackhole, this.wire::heal);
	}

	@Test
	void diskOfTheDatabaseFull_readsGoOn_alsoFromTheDatabase() {
		String id = this.client.login(this.node);
		String evicted = this.client.login(this.node);
		try (Fault full = this.postgres.refuseWrites(this.url, TABLE, "53100")) {
			readsGoOn(id, evicted);
		}
		worksAgain(id);
	}

	@Test
	void databaseReadOnly_readsGoOn_alsoFromTheDatabase() {
		String id = this.client.login(this.node);
		String evicted = this.client.login(this.node);
		try (Fault readOnly = this.postgres.readOnly(this.url)) {
			await().until(() -> CarefulClient.attempt(() -> this.client.read(this.node, id)));
			readsGoOn(id, evicted);
		}
		worksAgain(id);
	}

	@ParameterizedTest
	@EnumSource
	void databaseTakesNoWrites_anEndAndAChangeOfId_areAcknowledgedAndHoldOnEveryNode(NoWrites kind) {
		String ended = this.client.login(this.node);
		String moved = this.client.login(this.node);
		this.client.write(this.node, moved);
		String bystander = this.client.login(this.node);
		try (SessionNode other = SessionNode.on(this.redis, this.url).database(this.wire).start()) {
			try (Fault fault = causes(kind)) {
				this.client.logout(this.node, ended);
				String newId = this.client.changeId(this.node, moved);
				assertThat(this.node.unpersisted()).containsExactlyInAnyOrder(ended, moved, newId);
				this.client.readAll(this.node);
				this.client.readAll(other);
			}
			worksAgain(bystander);
			this.client.readAll(other);
		}
	}

	@ParameterizedTest
	@EnumSource
	void strict_databaseTakesNoWrites_saveAndEndAndCreateAreRefused_andNothingHasChanged(NoWrites kind) {
		String id = this.node.create("a", "0");
		try (SessionNode strict = SessionNode.on(this.redis, this.url).database(this.wire).strict().start()) {
			try (Fault fault = causes(kind)) {
				assertRefused(() -> strict.set(id, "a", "1"));
				assertRefused(() -> strict.repository.deleteById(id));
				assertRefused(() -> strict.create("a", "1"));
				assertThat(strict.get(id, "a")).isEqualTo("0");
			}
			assertThat(strict.unpersisted()).isEmpty();
		}
		assertThat(this.redis.keys("spring:session:sessions:*")).containsExactly("spring:session:sessions:" + id);
		assertThat(
				this.postgres.queryForLong(PostgresServer.database(this.url), "select count(*) from resilient_session"))
			.isEqualTo(1);
		this.redis.flushAll();
		await().until(() -> CarefulClient.attempt(() -> this.node.find(id)));
		assertThat(this.node.get(id, "a")).isEqualTo("0");
	}

	@Test
	void rowLocked_holdsUpItsSessionOnly_andRedisKeepsAWriteAndAnEndUntilTheLockIsGone() {
		String written = this.client.login(this.node);
		String ended = this.client.login(this.node);
		String other = this.client.login(this.node);
		try (Fault lock = lockRow(written); Fault otherLock = lockRow(ended)) {
			this.client.write(this.node, written);
			this.client.write(this.node, other);
			this.client.logout(this.node, ended);
			this.client.write(this.node, other);
			this.client.readAll(this.node);
			assertThat(this.node.unpersisted()).containsExactlyInAnyOrder(written, ended);
			assertThat(this.node.durableIsCutOff()).isFalse();
		}
		worksAgain(other);
	}

	@Test
	void rowLockedForLong_leavesNoStatementBehind_norKeepsOtherWritesFromBeingPersisted() {
		List<String> locked = this.client.login(this.node, 2);
		List<String> others = this.client.login(this.node, 4);
		try (Fault one = lockRow(locked.get(0)); Fault another = lockRow(locked.get(1))) {
			this.client.write(this.node, locked.get(0));
			this.client.write(this.node, locked.get(1));
			this.wire.cut();
			others.forEach((id) -> this.client.write(this.node, id));
			assertThat(this.node.unpersisted()).containsAll(others);
			this.wire.heal();
			await().atMost(Duration.ofSeconds(15))
				.untilAsserted(() -> assertThat(this.node.unpersisted()).containsExactlyInAnyOrderElementsOf(locked));
			// They are tried again and again.
			await().during(Duration.ofSeconds(4))
				.atMost(Duration.ofSeconds(12))
				.until(() -> this.postgres
					.queryForLong("select count(*) from pg_stat_activity where wait_event_type = 'Lock'") <= 1);
			assertThat(this.node.durableIsCutOff()).isFalse();
		}
		worksAgain(others.get(0));
	}

	@Test
	void savesOfALockedRow_doNotCutOffTheDatabase() throws Exception {
		String locked = this.client.login(this.node);
		String other = this.client.login(this.node);
		ExecutorService threads = Executors.newFixedThreadPool(6);
		try (Fault lock = lockRow(locked)) {
			List<Future<?>> saves = new ArrayList<>();
			for (int i = 0; i < 6; i++) {
				String name = "parallel" + i;
				saves.add(threads.submit(() -> this.node.set(locked, name, "1")));
			}
			for (Future<?> save : saves) {
				save.get(20, TimeUnit.SECONDS);
			}
			assertThat(this.node.durableIsCutOff()).isFalse();
			this.client.write(this.node, other);
			assertThat(this.node.unpersisted()).containsExactly(locked);
		}
		finally {
			threads.shutdownNow();
		}
		worksAgain(other);
		for (int i = 0; i < 6; i++) {
			assertThat(this.node.get(locked, "parallel" + i)).isEqualTo("1");
		}
	}

	@Test
	void allConnectionsTerminated_everyWriteIsCommittedAndEveryReadAnswered_andNothingIsCutOff() {
		List<String> ids = this.client.login(this.node, 3);
		for (int i = 0; i < 5; i++) {
			this.postgres.terminateConnections();
			this.client.write(this.node, ids.get(0));
			this.postgres.terminateConnections();
			this.redis.flushAll();
			this.client.readAll(this.node);
			assertThat(this.node.durableIsCutOff()).isFalse();
		}
		assertThat(this.node.events.of("unpersisted")).isZero();
		worksAgain(ids.get(0));
	}

	@Test
	void replyOfTheDatabaseCutHalfWay_doesNotMatter_whetherItIsToAWriteOrAnEnd() {
		String id = this.client.login(this.node);
		for (int bytes : List.of(0, 3)) {
			this.client.write(this.node, id, (session) -> this.wire.cutMidReply(id, bytes));
			assertThat(this.wire.replyWasCut()).isTrue();
			this.client.read(this.node, id);
			this.client.write(this.node, id);
			this.redis.flushAll();
			this.client.read(this.node, id);
		}
		this.wire.cutMidReply(id, 0);
		this.client.logout(this.node, id);
		assertThat(this.wire.replyWasCut()).isTrue();
		this.redis.flushAll();
		this.client.readAll(this.node);
		assertThat(this.node.events.of("unpersisted")).isZero();
	}

	@Test
	void databaseKilled_writesAreAcknowledged_andAreInTheDatabaseWhenItIsBack() {
		writesAreKept(this.postgres::kill, this.postgres::restart);
	}

	@Test
	void databaseStopped_writesAreAcknowledged_andAreInTheDatabaseWhenItIsBack() {
		writesAreKept(this.postgres::pause, this.postgres::resume);
	}

	@Test
	void databaseKilled_andTheNodeThatWroteToo_writesAreInTheDatabaseWhenAnotherNodeTouchesThem() {
		String id = this.client.login(this.node);
		String other = this.client.login(this.node);
		this.postgres.kill();
		try (SessionNode dying = SessionNode.on(this.redis, this.url).start()) {
			this.client.write(dying, id);
		}
		this.postgres.restart();
		this.client.touch(this.node, id);
		worksAgain(other);
	}

	@Test
	void databaseRestoredFromABackup_keepsWhatIsWrittenFromThenOn() {
		String id = this.node.create("a", "1");
		sql("create table backup as select * from resilient_session");
		this.node.set(id, "b", "1");
		this.node.set(id, "c", "1");
		sql("delete from resilient_session");
		sql("insert into resilient_session select * from backup");
		for (String name : List.of("d", "e", "f")) {
			this.node.set(id, name, "1");
			assertThat(this.node.get(id, name)).isEqualTo("1");
		}
		this.redis.flushAll();
		for (String name : List.of("a", "d", "e", "f")) {
			assertThat(this.node.get(id, name)).isEqualTo("1");
		}
	}

	@Test
	void rowThatCannotBeRead_isLeftAsItIs_andCostsOnlyItsOwnSession() {
		String unreadable = this.node.create("a", "1");
		String other = this.client.login(this.node);
		ResilientSession slow = this.node.find(unreadable);
		this.node.set(unreadable, "b", "1");
		sql("update resilient_session set attributes = 'nonsense', version = version + 1 where session_id = '"
				+ unreadable + "'");
		slow.setAttribute("c", "1");
		this.node.repository.save(slow);
		assertThat(this.node.events.of("quarantined")).isEqualTo(1);
		assertThat(this.node.events.of("lateSaveDropped")).isEqualTo(1);
		assertThat(this.node.repository.findById(unreadable)).isNull();
		assertThat(this.postgres.queryForLong(PostgresServer.database(this.url),
				"select count(*) from resilient_session where attributes = 'nonsense' and state = 0"))
			.isEqualTo(1);
		this.client.write(this.node, other);
		worksAgain(other);
	}

	private static void assertRefused(ThrowingCallable request) {
		assertThatExceptionOfType(SessionStoreUnavailableException.class).isThrownBy(request);
	}

	private Fault causes(NoWrites kind) {
		return switch (kind) {
			case HUNG -> hang();
			case FULL -> this.postgres.refuseWrites(this.url, TABLE, "53100");
			case READ_ONLY -> this.postgres.readOnly(this.url);
		};
	}

	/**
	 * Let the database hang. What it was sent meanwhile never arrives, or it could be
	 * committed afterwards.
	 */
	private Fault hang() {
		this.wire.blackhole();
		return () -> {
			this.wire.cut();
			this.wire.heal();
		};
	}

	private Fault lockRow(String id) {
		return this.postgres.lockRow(this.url, TABLE, "session_id = '" + id + "'");
	}

	private void sql(String sql) {
		this.postgres.execute(PostgresServer.database(this.url), sql);
	}

	private void survives(Runnable fault, Runnable healing) {
		String changed = this.client.login(this.node);
		String ended = this.client.login(this.node);
		String evicted = this.client.login(this.node);
		this.client.readAll(this.node);
		fault.run();
		CarefulClient.attempt(() -> this.client.write(this.node, changed));
		this.client.read(this.node, changed);
		CarefulClient.attempt(() -> this.client.logout(this.node, ended));
		CarefulClient.attempt(() -> this.client.login(this.node));
		this.client.readAll(this.node);
		this.redis.call((commands) -> commands.del("spring:session:sessions:" + evicted));
		assertThatExceptionOfType(SessionStoreUnavailableException.class)
			.isThrownBy(() -> this.client.read(this.node, evicted));
		healing.run();
		worksAgain(changed);
		this.client.logout(this.node, ended);
		this.client.readAll(this.node);
	}

	/**
	 * A database that refuses writes still answers reads, and Redis keeps the writes.
	 */
	private void readsGoOn(String id, String evicted) {
		for (int i = 0; i < 10; i++) {
			this.client.write(this.node, id);
			this.client.read(this.node, id);
			this.client.login(this.node);
		}
		assertThat(this.node.durableIsCutOff()).isFalse();
		this.redis.call((commands) -> commands.del("spring:session:sessions:" + evicted));
		this.client.read(this.node, evicted);
	}

	private void writesAreKept(Runnable fault, Runnable healing) {
		String changed = this.client.login(this.node);
		String ended = this.client.login(this.node);
		String moved = this.client.login(this.node);
		fault.run();
		this.client.write(this.node, changed);
		this.client.write(this.node, changed);
		this.client.logout(this.node, ended);
		String newId = this.client.changeId(this.node, moved);
		String created = this.client.login(this.node);
		this.client.write(this.node, created);
		this.client.write(this.node, newId);
		this.client.readAll(this.node);
		healing.run();
		worksAgain(changed);
	}

	/**
	 * Writes are acknowledged again, and the database alone knows all that was.
	 */
	private void worksAgain(String id) {
		await().until(() -> CarefulClient.attempt(() -> this.client.write(this.node, id)));
		await().until(() -> !this.node.durableIsCutOff() && this.node.unpersisted().isEmpty());
		this.client.readAll(this.node);
		try (SessionNode withoutRedis = SessionNode.on(this.redis, this.url).redisPort(1).start()) {
			await().untilAsserted(() -> this.client.readAll(withoutRedis));
		}
		this.redis.flushAll();
		this.client.readAll(this.node);
	}

	/**
	 * How a database takes no writes.
	 */
	enum NoWrites {

		HUNG, FULL, READ_ONLY

	}

}

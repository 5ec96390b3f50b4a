package io.github.resilientsession;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.SQLTransientException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;

import javax.sql.DataSource;

import io.github.resilientsession.reconcile.Resync;
import io.github.resilientsession.reconcile.ResyncSettings;
import io.github.resilientsession.testsupport.Fault;
import io.github.resilientsession.testsupport.PostgresServer;
import io.github.resilientsession.testsupport.RealServers;
import io.github.resilientsession.testsupport.RedisServer;
import io.github.resilientsession.testsupport.Wire;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

import org.springframework.jdbc.datasource.DelegatingDataSource;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.awaitility.Awaitility.await;

/**
 * Tests for {@link Resync}: Redis has got old data back, or has lost what it had.
 */
@RealServers
class ResyncTests {

	private static final Duration LONG = Duration.ofSeconds(20);

	private static final int SIZE = 50_000;

	private final CarefulClient client = new CarefulClient();

	private final List<SessionNode> nodes = new ArrayList<>();

	private final RedisServer redis;

	private final PostgresServer postgres;

	private final String url;

	ResyncTests(RedisServer redis, PostgresServer postgres) {
		this.redis = redis;
		this.postgres = postgres;
		this.url = postgres.createDatabase();
	}

	@AfterEach
	void stop() {
		this.nodes.forEach(SessionNode::close);
	}

	@Test
	void restoredSnapshot_nothingOldIsRead_andOneNodeOfTwoMakesAllRight() {
		SessionNode one = start(new ResyncSettings(5_000, 0.2));
		SessionNode two = start(new ResyncSettings(5_000, 0.2));
		List<String> ids = this.client.login(one, 150);
		createMore(one, 1_350);
		Path old = this.redis.snapshot();
		for (int i = 0; i < 60; i++) {
			this.client.write(one, ids.get(i));
		}
		for (int i = 60; i < 80; i++) {
			this.client.logout(one, ids.get(i));
		}
		for (int i = 80; i < 100; i++) {
			this.client.changeId(one, ids.get(i));
		}
		sql("delete from resilient_session where session_id = '" + ids.get(60) + "'");
		Resync.Progress before = one.resync();
		assertThat(before.compared()).isZero();
		this.redis.restartFrom(old);
		for (int i = 0; i < 100 || !(one.trustsRedis() && two.trustsRedis()); i++) {
			this.client.read((i % 2 == 0) ? one : two, ids.get(i % 100));
		}
		await().atMost(LONG).until(() -> one.resync().putBack() + two.resync().putBack() > 0);
		this.client.readAll(two);
		long hits = one.events.of("redisHit");
		this.client.readAll(one);
		// All but those that have ended are there, and the new ids that were lost.
		assertThat(one.events.of("redisHit") - hits).isEqualTo(this.client.live());
		assertThat(List.of(one.resync().compared(), two.resync().compared())).containsOnlyOnce(0L);
		assertThat(one.resync().compared() + two.resync().compared()).isBetween(1_400L, 1_600L);
	}

	@Test
	void nodeThatDidIt_isClosedHalfWay_theOtherDoesItFromTheStart() {
		ResyncSettings slow = new ResyncSettings(500, 0.2);
		SessionNode one = start(slow);
		SessionNode two = start(slow);
		List<String> ids = this.client.login(one, 60);
		createMore(one, 1_440);
		Path old = this.redis.snapshot();
		ids.subList(0, 30).forEach((id) -> this.client.write(one, id));
		ids.subList(30, 60).forEach((id) -> this.client.logout(one, id));
		this.redis.restartFrom(old);
		await().atMost(LONG).until(() -> one.resync().compared() > 0 || two.resync().compared() > 0);
		SessionNode first = (one.resync().compared() > 0) ? one : two;
		SessionNode second = (first == one) ? two : one;
		first.close();
		long done = first.resync().compared();
		assertThat(done).isBetween(1L, 1_400L);
		assertThat(second.trustsRedis()).isFalse();
		ids.subList(0, 60).forEach((id) -> this.client.read(second, id));
		await().atMost(LONG).until(second::trustsRedis);
		// Only a node that dies leaves its position behind.
		assertThat(second.resync().compared()).isBetween(1_400L, 1_600L);
		ids.subList(0, 60).forEach((id) -> this.client.read(second, id));
	}

	@Test
	void nodeThatDidIt_diesHalfWay_theOtherGoesOnWhereItWas() {
		ResyncSettings slow = new ResyncSettings(500, 0.2);
		try (Wire wireOfOne = Wire.to(this.postgres.host(), this.postgres.port());
				Wire wireOfTwo = Wire.to(this.postgres.host(), this.postgres.port())) {
			SessionNode one = start(SessionNode.on(this.redis, this.url).database(wireOfOne).resync(slow));
			SessionNode two = start(SessionNode.on(this.redis, this.url).database(wireOfTwo).resync(slow));
			List<String> ids = this.client.login(one, 60);
			createMore(one, 1_940);
			Path old = this.redis.snapshot();
			ids.subList(0, 30).forEach((id) -> this.client.write(one, id));
			ids.subList(30, 60).forEach((id) -> this.client.logout(one, id));
			this.redis.restartFrom(old);
			await().atMost(LONG).until(() -> one.resync().compared() > 900 || two.resync().compared() > 900);
			boolean oneDidIt = one.resync().compared() > 0;
			(oneDidIt ? wireOfOne : wireOfTwo).cut();
			SessionNode second = oneDidIt ? two : one;
			assertThat(second.trustsRedis()).isFalse();
			// The lease has to run out first.
			await().atMost(LONG.multipliedBy(2)).until(second::trustsRedis);
			assertThat(second.resync().compared()).isBetween(1L, 1_600L);
			ids.forEach((id) -> this.client.read(second, id));
		}
	}

	@Test
	void nodeThatPausesLongerThanItsLease_keepsIt() {
		ResyncSettings slow = new ResyncSettings(10, 0.2);
		SessionNode one = start(slow);
		SessionNode two = start(slow);
		awaitNothingToPutBack();
		createMore(one, 200);
		this.redis.restartFrom(this.redis.snapshot());
		await().atMost(LONG).until(() -> one.resync().compared() + two.resync().compared() > 0);
		// 20 s, and once more if one node notices the restart after the other has begun.
		await().atMost(LONG.multipliedBy(5)).until(() -> one.trustsRedis() && two.trustsRedis());
		assertThat(List.of(one.resync().compared(), two.resync().compared())).contains(200L).isSubsetOf(0L, 200L);
	}

	@Test
	void nodeThatPutsSessionsBack_leavesThat_toCompareARedisThatMayBeOld() {
		// A minute to put all back, and some seconds to compare those that are there by
		// then.
		SessionNode one = start(new ResyncSettings(50, 0.2));
		awaitNothingToPutBack();
		createMore(one, 3_000);
		this.redis.flushAll();
		await().atMost(LONG).until(() -> one.resync().putBack() > 0);
		this.redis.restartFrom(this.redis.snapshot());
		await().atMost(LONG).until(() -> !one.trustsRedis());
		await().atMost(LONG).until(one::trustsRedis);
		assertThat(one.resync().compared()).isBetween(1L, 1_000L);
	}

	@Test
	void sessionsThatRedisHasLost_arePutBack_mostRecentlyUsedFirst() {
		SessionNode node = start(new ResyncSettings(50, 0.2));
		awaitNothingToPutBack();
		List<String> ids = new ArrayList<>(this.client.login(node, 300));
		Set<String> recent = new HashSet<>(ids.subList(100, 200));
		sql("update resilient_session set last_accessed_at = last_accessed_at - 600000, expires_at = expires_at - 600000 "
				+ "where session_id in ('" + String.join("','", ids.subList(0, 100)) + "','"
				+ String.join("','", ids.subList(200, 300)) + "')");
		this.redis.restartEmpty();
		await().atMost(LONG).until(() -> node.resync().putBack() > 0);
		assertThat(copies()).isEqualTo(recent);
		await().atMost(LONG).until(() -> copies().size() == 300);
		assertThat(node.events.of("sessionsLoaded")).isZero();
	}

	@Test
	void nodeThatPutsSessionsBack_isClosedHalfWay_theOtherGoesOnWhereItWas() {
		SessionNode one = start(new ResyncSettings(100, 0.2));
		SessionNode two = start(new ResyncSettings(100, 0.2));
		awaitNothingToPutBack();
		createMore(one, 1_000);
		this.redis.restartEmpty();
		await().atMost(LONG).until(() -> one.resync().putBack() + two.resync().putBack() >= 200);
		SessionNode first = (one.resync().putBack() > 0) ? one : two;
		SessionNode second = (first == one) ? two : one;
		first.close();
		long done = first.resync().putBack();
		assertThat(done).isBetween(200L, 900L);
		await().atMost(LONG.multipliedBy(2)).until(() -> copies().size() == 1_000);
		assertThat(second.resync().putBack()).isEqualTo(1_000 - done);
		awaitNothingToPutBack();
	}

	@Test
	void sessionThatWasPutBackOld_isDiscarded_alsoIfItsRowCannotBeAskedAtOnce() {
		AtomicReference<Runnable> meanwhile = new AtomicReference<>();
		AtomicBoolean refuse = new AtomicBoolean();
		SessionNode node = start(SessionNode.on(this.redis, this.url)
			.dataSource((pool) -> new DataSourceOfResync(pool, meanwhile, refuse)));
		String id = node.create("a", "0");
		this.redis.restartEmpty();
		await().atMost(LONG).until(node::trustsRedis);
		// Read now, so that it is not rebuilt, and looked at again, when it is written.
		await().atMost(LONG).until(() -> "0".equals(node.get(id, "a")) && copies().contains(id));
		meanwhile.set(() -> {
			node.set(id, "a", "1");
			this.redis.call((commands) -> commands.del("spring:session:sessions:" + id));
			refuse.set(true);
		});
		await().atMost(LONG).until(() -> meanwhile.get() == null && !refuse.get());
		await().atMost(LONG).until(() -> "1".equals(node.get(id, "a")));
	}

	@Test
	void sessionsThatRedisHasLost_leaveItsHeadroomFree_howeverLargeTheyAre() {
		SessionNode node = start(new ResyncSettings(5_000, 0.2));
		awaitNothingToPutBack();
		List<String> ids = new ArrayList<>();
		for (int i = 0; i < 300; i++) {
			ids.add(node.create("a", "x".repeat(SIZE)));
		}
		this.redis.flushAll();
		// Room for some sessions, and with the headroom for some more, but not for all.
		long limit = (this.redis.usedMemory() + 60 * SIZE) * 10 / 8;
		assertThat(limit).isLessThan(this.redis.usedMemory() + 250 * SIZE);
		this.redis.configSet("maxmemory", Long.toString(limit));
		this.redis.call((commands) -> commands.configResetstat());
		await().atMost(LONG).until(() -> node.resync().putBack() > 0 && !node.resync().running());
		assertThat(copies()).hasSizeBetween(20, 100);
		assertThat(this.redis.usedMemory()).isLessThan(limit * 85 / 100);
		assertThat(this.redis.<String>call((commands) -> commands.info("errorstats"))).doesNotContain("OOM");
		assertThat(this.redis.<String>call((commands) -> commands.info("commandstats")))
			.containsPattern("cmdstat_evalsha:.*failed_calls=0");
		assertThat(node.trustsRedis()).isTrue();
		assertThat((String) node.get(ids.get(0), "a")).hasSize(SIZE);
	}

	@Test
	void blipOfTheConnection_isForgivenWithoutComparing_alsoWithTheDatabaseDown() {
		try (Wire toRedis = Wire.to(this.redis.host(), this.redis.port());
				Wire toDatabase = Wire.to(this.postgres.host(), this.postgres.port())) {
			SessionNode node = SessionNode.on(this.redis, this.url).redis(toRedis).database(toDatabase).start();
			this.nodes.add(node);
			List<String> ids = this.client.login(node, 20);
			toDatabase.cut();
			await().atMost(LONG).until(() -> {
				CarefulClient.attempt(() -> this.client.write(node, ids.get(0)));
				return node.durableIsCutOff();
			});
			toRedis.cut();
			await().atMost(LONG).until(() -> !node.trustsRedis());
			assertThatExceptionOfType(SessionStoreUnavailableException.class)
				.isThrownBy(() -> this.client.read(node, ids.get(1)));
			toRedis.heal();
			await().atMost(LONG).until(node::trustsRedis);
			assertThat(node.durableIsCutOff()).isTrue();
			this.client.readAll(node);
			assertThat(node.resync().compared()).isZero();
			toDatabase.heal();
			await().atMost(LONG).until(() -> !node.durableIsCutOff() && node.unpersisted().isEmpty());
		}
	}

	@Test
	void endThatCannotBePersistedWithTheOthers_isTriedAgain() {
		SessionNode node = start(SessionNode.on(this.redis, this.url).reconcileInterval(Duration.ofHours(1)));
		String id = node.create("a", "0");
		try (Fault full = this.postgres.refuseWrites(this.url, "resilient_session", "53100")) {
			node.repository.deleteById(id);
			sql("create sequence refused");
			sql("create function refuse_one() returns trigger language plpgsql as $$ begin if old.session_id = '" + id
					+ "' then perform nextval('refused'); "
					+ "raise exception 'refused by the test' using errcode = '40001'; end if; return new; end $$");
			sql("create trigger refuse_one before update on resilient_session "
					+ "for each row execute function refuse_one()");
		}
		await().atMost(LONG).until(() -> count("select last_value from refused") >= 2);
		sql("drop trigger refuse_one on resilient_session");
		await().atMost(LONG)
			.until(() -> count("select state from resilient_session where session_id = '" + id + "'") == 1);
		this.redis.flushAll();
		assertThat(node.repository.findById(id)).isNull();
	}

	private static void createMore(SessionNode node, int count) {
		ExecutorService executor = Executors.newFixedThreadPool(8);
		try {
			List<CompletableFuture<String>> created = new ArrayList<>();
			for (int i = 0; i < count; i++) {
				created.add(CompletableFuture.supplyAsync(() -> node.create("a", "0"), executor));
			}
			created.forEach(CompletableFuture::join);
		}
		finally {
			executor.shutdown();
		}
	}

	/**
	 * A Redis that was empty when a node started has lost nothing, but nobody knows that
	 * at first.
	 */
	private void awaitNothingToPutBack() {
		await().atMost(LONG)
			.until(() -> this.redis.<Boolean>call((commands) -> commands.hexists("spring:session:agreed", "incarnation")
					&& !commands.hexists("spring:session:agreed", "refill")));
	}

	private Set<String> copies() {
		String prefix = "spring:session:sessions:";
		Set<String> ids = new HashSet<>();
		this.redis.keys(prefix + "*").forEach((key) -> ids.add(key.substring(prefix.length())));
		return ids;
	}

	private SessionNode start(ResyncSettings resync) {
		return start(SessionNode.on(this.redis, this.url).resync(resync));
	}

	private SessionNode start(SessionNode.Options options) {
		SessionNode node = options.start();
		this.nodes.add(node);
		return node;
	}

	private long count(String sql) {
		return this.postgres.queryForLong(PostgresServer.database(this.url), sql);
	}

	private void sql(String sql) {
		this.postgres.execute(PostgresServer.database(this.url), sql);
	}

	/**
	 * Lets something happen once when the first page has been loaded, and refuses once to
	 * say which versions rows have.
	 */
	private static final class DataSourceOfResync extends DelegatingDataSource {

		private final AtomicReference<Runnable> meanwhile;

		private final AtomicBoolean refuse;

		DataSourceOfResync(DataSource pool, AtomicReference<Runnable> meanwhile, AtomicBoolean refuse) {
			super(pool);
			this.meanwhile = meanwhile;
			this.refuse = refuse;
		}

		@Override
		public Connection getConnection() throws SQLException {
			Connection connection = super.getConnection();
			return switch (Thread.currentThread().getName()) {
				case "resilient-session-resync-load" -> before("close", connection, (arguments) -> {
					Runnable work = this.meanwhile.getAndSet(null);
					if (work != null) {
						work.run();
					}
				});
				case "resilient-session-resync" -> before("prepareStatement", connection, (arguments) -> {
					if (arguments[0].toString().startsWith("select session_id, version, state")
							&& this.refuse.getAndSet(false)) {
						throw new SQLTransientException("refused by the test", "40001");
					}
				});
				default -> connection;
			};
		}

		private static Connection before(String name, Connection connection, Before before) {
			return (Connection) Proxy.newProxyInstance(ResyncTests.class.getClassLoader(),
					new Class<?>[] { Connection.class }, (proxy, method, arguments) -> {
						try {
							if (method.getName().equals(name)) {
								before.run(arguments);
							}
							return method.invoke(connection, arguments);
						}
						catch (InvocationTargetException ex) {
							throw ex.getCause();
						}
					});
		}

	}

	private interface Before {

		void run(Object[] arguments) throws SQLException;

	}

}

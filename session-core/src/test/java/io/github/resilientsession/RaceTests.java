package io.github.resilientsession;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;

import javax.sql.DataSource;

import io.github.resilientsession.record.SessionStoreListener;
import io.github.resilientsession.testsupport.Fault;
import io.github.resilientsession.testsupport.PostgresServer;
import io.github.resilientsession.testsupport.RealServers;
import io.github.resilientsession.testsupport.RedisServer;
import io.github.resilientsession.testsupport.Wire;
import io.lettuce.core.RestoreArgs;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

import org.springframework.jdbc.datasource.DelegatingDataSource;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.awaitility.Awaitility.await;

/**
 * Interleavings that hardly ever happen, made to happen: something comes between two
 * steps of a request.
 */
@RealServers
class RaceTests {

	private final RedisServer redis;

	private final PostgresServer postgres;

	private final String url;

	private final AtomicReference<Runnable> between = new AtomicReference<>();

	/**
	 * What comes between runs after its load, or after its next statement.
	 */
	private SessionNode slow;

	private SessionNode other;

	private final Wire wire;

	RaceTests(RedisServer redis, PostgresServer postgres) {
		this.redis = redis;
		this.postgres = postgres;
		this.url = postgres.createDatabase();
		this.wire = Wire.to(redis.host(), redis.port());
	}

	@BeforeEach
	void start() {
		this.slow = SessionNode.on(this.redis, this.url)
			.redis(this.wire)
			.notPuttingBack()
			.listener(new AfterLoad())
			.dataSource(AfterStatement::new)
			.start();
		this.other = SessionNode.on(this.redis, this.url).notPuttingBack().start();
	}

	@AfterEach
	void stop() {
		this.slow.close();
		this.other.close();
		this.wire.close();
	}

	@Test
	void changeOfId_ofASessionThatBecameDurableMeanwhile_keepsWhatOthersHaveWrittenSince() {
		String id = withoutRow();
		ResilientSession moving = this.slow.find(id);
		this.other.set(id, "b", "1");
		String newId = moving.changeSessionId();
		this.slow.repository.save(moving);
		assertThat(this.other.get(newId, "a")).isEqualTo("0");
		assertThat(this.other.get(newId, "b")).isEqualTo("1");
		assertThat(this.other.repository.findById(id)).isNull();
	}

	@Test
	void changeOfId_ofASessionThatWasEndedMeanwhile_doesNotBringItBack() {
		String id = withoutRow();
		ResilientSession moving = this.slow.find(id);
		this.other.repository.deleteById(id);
		String newId = moving.changeSessionId();
		this.slow.repository.save(moving);
		assertThat(this.other.repository.findById(newId)).isNull();
		this.redis.flushAll();
		assertThat(this.other.repository.findById(newId)).isNull();
		assertThat(this.other.repository.findById(id)).isNull();
	}

	@Test
	void changeOfId_takesAlongWhatAnotherRequestHasKeptInRedisOnly() {
		String id = this.other.create("a", "0");
		try (SessionNode later = notReconciling()) {
			ResilientSession moving = this.slow.find(id);
			moving.setAttribute("a", "1");
			try (Fault full = refuseWrites()) {
				later.set(id, "a", "lost to the later one");
				later.set(id, "b", "1");
			}
			String newId = moving.changeSessionId();
			this.slow.repository.save(moving);
			assertThat(later.get(newId, "a")).isEqualTo("1");
			assertThat(later.get(newId, "b")).isEqualTo("1");
			this.redis.flushAll();
			assertThat(later.get(newId, "a")).isEqualTo("1");
			assertThat(later.get(newId, "b")).isEqualTo("1");
			assertThat(later.repository.findById(id)).isNull();
		}
	}

	@Test
	void changeOfId_afterWhichTheDatabaseFails_keepsInRedisWhatItTakesAlong() {
		String id = this.other.create("a", "0");
		AtomicReference<Fault> again = new AtomicReference<>();
		try (SessionNode later = notReconciling()) {
			ResilientSession moving = this.slow.find(id);
			keep(later, id, "b", "1");
			String newId = moving.changeSessionId();
			this.between.set(() -> again.set(refuseWrites()));
			try {
				this.slow.repository.save(moving);
				assertThat(later.get(newId, "b")).isEqualTo("1");
				assertThat(later.repository.findById(id)).isNull();
			}
			finally {
				again.get().close();
			}
			await().until(() -> this.slow.unpersisted().isEmpty());
			this.redis.flushAll();
			assertThat(later.get(newId, "a")).isEqualTo("0");
			assertThat(later.get(newId, "b")).isEqualTo("1");
		}
	}

	@Test
	void changeOfId_takesAlongWhatAnotherRequestHasKeptInRedisOnly_alsoIfALateSaveComesFirst() {
		String id = this.other.create("a", "0");
		try (SessionNode later = notReconciling()) {
			ResilientSession moving = this.slow.find(id);
			ResilientSession late = later.find(id);
			keep(later, id, "b", "1");
			String newId = moving.changeSessionId();
			this.between.set(() -> {
				late.setAttribute("c", "dropped");
				later.repository.save(late);
			});
			this.slow.repository.save(moving);
			assertThat(this.between.get()).isNull();
			assertThat(later.repository.findById(id)).isNull();
			this.redis.flushAll();
			assertThat(later.get(newId, "a")).isEqualTo("0");
			assertThat(later.get(newId, "b")).isEqualTo("1");
			assertThat(later.get(newId, "c")).isNull();
		}
	}

	@Test
	void changeOfId_byANodeWithoutRedis_takesAlongWhatAnotherHasKeptThere_whenRedisIsBack() {
		String id = this.other.create("a", "0");
		try (SessionNode later = notReconciling()) {
			ResilientSession moving = this.slow.find(id);
			keep(later, id, "b", "1");
			this.wire.blackhole();
			String newId = moving.changeSessionId();
			this.slow.repository.save(moving);
			this.wire.heal();
			await().until(() -> !this.slow.redisIsCutOff());
			await().untilAsserted(() -> assertThat(this.other.get(newId, "b")).isEqualTo("1"));
			assertThat(later.repository.findById(id)).isNull();
			this.redis.flushAll();
			assertThat(later.get(newId, "a")).isEqualTo("0");
			assertThat(later.get(newId, "b")).isEqualTo("1");
		}
	}

	@Test
	void writeThatWasPersistedAndOverwritten_doesNotComeBackFromTheCopy_whenTheDatabaseFailsAgain() {
		this.slow.close();
		this.other.close();
		Duration never = Duration.ofHours(1);
		try (Wire blind = Wire.to(this.redis.host(), this.redis.port());
				SessionNode keeping = SessionNode.on(this.redis, this.url).reconcileInterval(never).start();
				SessionNode overwriting = SessionNode.on(this.redis, this.url)
					.redis(blind)
					.reconcileInterval(never)
					.start();
				SessionNode merging = SessionNode.on(this.redis, this.url)
					.reconcileInterval(never)
					.dataSource(AfterStatement::new)
					.start()) {
			keepFromComparing();
			String id = keeping.create("a", "0");
			ResilientSession merged = merging.find(id);
			keep(keeping, id, "a", "1");
			ResilientSession overwritten = overwriting.find(id);
			overwritten.setAttribute("a", "2");
			blind.blackhole();
			overwriting.repository.save(overwritten);
			AtomicReference<Fault> again = new AtomicReference<>();
			// After the update that fails, with others and alone, the load of what it
			// missed, and the update.
			after(4, () -> again.set(refuseWrites()));
			merged.setAttribute("b", "1");
			try {
				merging.repository.save(merged);
				assertThat(keeping.get(id, "a")).isEqualTo("2");
				assertThat(keeping.get(id, "b")).isEqualTo("1");
			}
			finally {
				again.get().close();
			}
		}
	}

	@Test
	void changeOfId_thatChangesTheSame_winsOverWhatALateSaveTakesAlongBeforeIt() {
		String id = this.other.create("a", "0");
		try (SessionNode later = notReconciling()) {
			ResilientSession moving = this.slow.find(id);
			ResilientSession late = later.find(id);
			keep(later, id, "a", "1");
			moving.setAttribute("a", "2");
			String newId = moving.changeSessionId();
			after(1, () -> {
				late.setAttribute("b", "dropped");
				later.repository.save(late);
			});
			this.slow.repository.save(moving);
			assertThat(this.between.get()).isNull();
			assertThat(later.get(newId, "a")).isEqualTo("2");
			this.redis.flushAll();
			assertThat(later.get(newId, "a")).isEqualTo("2");
		}
	}

	@Test
	void whatAChangeOfIdHasTakenAlong_isInRedisToo_afterRedisFailedInBetween() {
		String id = this.other.create("a", "0");
		try (SessionNode later = notReconciling()) {
			ResilientSession moving = this.slow.find(id);
			keep(later, id, "b", "1");
			String newId = moving.changeSessionId();
			// After the change, two loads that follow it, and the load and the update of
			// what is taken along.
			after(5, this.wire::blackhole);
			this.slow.repository.save(moving);
			assertThat(this.between.get()).isNull();
			this.wire.heal();
			await().until(() -> !this.slow.redisIsCutOff());
			await().untilAsserted(() -> assertThat(this.other.get(newId, "b")).isEqualTo("1"));
			assertThat(later.repository.findById(id)).isNull();
		}
	}

	@Test
	void whatAChangeOfIdHasTakenAlong_doesNotComeAgainWithTheOldCopy() {
		String id = this.other.create("a", "0");
		AtomicReference<Fault> again = new AtomicReference<>();
		try (SessionNode later = notReconciling()) {
			ResilientSession moving = this.slow.find(id);
			ResilientSession late = later.find(id);
			keep(later, id, "a", "1");
			byte[] copy = dump(id);
			String newId = moving.changeSessionId();
			after(1, () -> again.set(refuseWrites()));
			this.slow.repository.save(moving);
			again.get().close();
			await().until(() -> this.slow.unpersisted().isEmpty());
			this.other.set(newId, "a", "2");
			restore(id, copy);
			late.setAttribute("b", "dropped");
			later.repository.save(late);
			assertThat(later.repository.findById(id)).isNull();
			this.redis.flushAll();
			assertThat(later.get(newId, "a")).isEqualTo("2");
		}
	}

	@Test
	void changesOfId_firstByANodeWithoutRedisAndThenWithoutADatabase_areFollowed() {
		String id = this.other.create("a", "0");
		try (SessionNode later = notReconciling()) {
			ResilientSession moving = this.slow.find(id);
			keep(later, id, "b", "1");
			this.wire.blackhole();
			String secondId = moving.changeSessionId();
			this.slow.repository.save(moving);
			ResilientSession second = this.other.find(secondId);
			String thirdId = second.changeSessionId();
			try (Fault full = refuseWrites()) {
				this.other.repository.save(second);
				assertThat(this.other.get(thirdId, "a")).isEqualTo("0");
			}
			this.wire.heal();
			await().until(() -> !this.slow.redisIsCutOff());
			await().untilAsserted(() -> assertThat(this.slow.get(thirdId, "b")).isEqualTo("1"));
			await().until(() -> this.other.unpersisted().isEmpty() && this.slow.unpersisted().isEmpty());
			this.redis.flushAll();
			assertThat(later.get(thirdId, "a")).isEqualTo("0");
			assertThat(later.get(thirdId, "b")).isEqualTo("1");
			assertThat(later.repository.findById(id)).isNull();
			assertThat(later.repository.findById(secondId)).isNull();
		}
	}

	@Test
	void endByANodeWithoutRedis_isToldWhenRedisIsBack_thoughTheCopyWasWrittenAndTheDatabaseIsDownByThen() {
		String id = this.other.create("a", "0");
		this.wire.blackhole();
		this.slow.repository.deleteById(id);
		this.postgres.kill();
		try {
			this.other.set(id, "a", "1");
			this.wire.heal();
			await().until(() -> !this.slow.redisIsCutOff());
			assertThat(this.slow.repository.findById(id)).isNull();
			assertThat(this.other.repository.findById(id)).isNull();
		}
		finally {
			this.postgres.restart();
		}
	}

	@Test
	void rowThatIsLocked_isToldToRedis_andKeepsItsMarkUntilItIsNot() {
		String id = this.other.create("a", "0");
		this.slow.close();
		this.other.close();
		try (SessionNode blind = SessionNode.on(this.redis, this.url)
			.redisPort(1)
			.reconcileInterval(Duration.ofHours(1))
			.start()) {
			blind.set(id, "a", "1");
		}
		String key = "spring:session:sessions:" + id;
		String before = attribute(key);
		Fault lock = this.postgres.lockRow(this.url, "resilient_session", "session_id = '" + id + "'");
		try (SessionNode node = SessionNode.on(this.redis, this.url).notPuttingBack().start()) {
			await().until(() -> !before.equals(attribute(key)));
			String after = attribute(key);
			assertThat(after).isNotNull();
			assertThat(pending()).isOne();
			lock.close();
			await().until(() -> pending() == 0);
			assertThat(node.events.of("settled")).isOne();
			assertThat(attribute(key)).isEqualTo(after);
		}
	}

	private @Nullable String attribute(String key) {
		return this.redis.call((commands) -> commands.hget(key, "sessionAttr:a"));
	}

	private long pending() {
		return this.postgres.queryForLong(PostgresServer.database(this.url),
				"select count(*) from resilient_session where redis_pending");
	}

	@Test
	void rebuildOfAnOlderState_intoTheGapOfANewerCopyThatRedisLost_goesAgain() {
		String id = this.other.create("a", "0");
		forget(id);
		this.between.set(() -> {
			this.other.set(id, "a", "1");
			forget(id);
		});
		assertThat(this.slow.get(id, "a")).isEqualTo("0");
		assertThat(this.between.get()).isNull();
		await().until(() -> this.other.get(id, "a").equals("1") && this.slow.get(id, "a").equals("1"));
	}

	@Test
	void copyOfAWrite_intoTheGapOfATombstoneThatRedisLost_goesAgain() {
		String id = this.other.create("a", "0");
		ResilientSession session = this.slow.find(id);
		session.setAttribute("a", "1");
		this.between.set(() -> {
			this.other.repository.deleteById(id);
			forget(id);
		});
		this.slow.repository.save(session);
		assertThat(this.between.get()).isNull();
		await().until(() -> this.other.repository.findById(id) == null);
		assertThat(this.slow.repository.findById(id)).isNull();
		assertThat(this.redis.keys(key(id))).isEmpty();
	}

	@Test
	void writeWhoseAnswerTookLong_fillsTheGapOfALaterOneWithThatOne() {
		String id = this.other.create("a", "0");
		ResilientSession session = this.slow.find(id);
		session.setAttribute("a", "1");
		this.between.set(() -> {
			LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(200));
			this.other.set(id, "b", "2");
			forget(id);
		});
		this.slow.repository.save(session);
		assertThat(this.between.get()).isNull();
		assertThat(this.redis.keys(key(id))).hasSize(1);
		assertThat(this.other.get(id, "a")).isEqualTo("1");
		assertThat(this.slow.get(id, "b")).isEqualTo("2");
		assertThat(this.slow.events.of("lostByRedis") + this.other.events.of("lostByRedis")).isZero();
	}

	@Test
	void readThatSharesALoad_seesAWriteBeforeItWhoseAnswerTookLong() throws Exception {
		String id = this.other.create("a", "0");
		ResilientSession session = this.other.find(id);
		session.setAttribute("a", "1");
		forget(id);
		AtomicReference<CompletableFuture<Object>> second = new AtomicReference<>();
		this.between.set(() -> {
			saveWhileItsRowIsLocked(session, Duration.ofMillis(300));
			second.set(CompletableFuture.supplyAsync(() -> this.slow.get(id, "a")));
			await().pollDelay(Duration.ofMillis(300)).until(() -> true);
		});
		this.slow.get(id, "a");
		assertThat(second.get().get(10, TimeUnit.SECONDS)).isEqualTo("1");
	}

	@Test
	void readWhileALoadIsUnderWay_seesWhatWasAcknowledgedBefore_alsoIfRedisHadNoRoomForIt() throws Exception {
		String id = this.other.create("a", "0");
		this.redis.configSet("maxmemory", "1");
		try {
			awaitBeats();
			forget(id);
			AtomicReference<CompletableFuture<Object>> second = new AtomicReference<>();
			this.between.set(() -> {
				this.other.set(id, "a", "1");
				second.set(CompletableFuture.supplyAsync(() -> this.slow.get(id, "a")));
				await().pollDelay(Duration.ofMillis(300)).until(() -> true);
			});
			this.slow.get(id, "a");
			assertThat(second.get().get(10, TimeUnit.SECONDS)).isEqualTo("1");
		}
		finally {
			this.redis.configSet("maxmemory", "0");
		}
	}

	@Test
	void writesThatOnlyRedisHas_areNotForgottenByTheirOwnNode_whenRedisMissesAnAnswer() {
		String changed = this.slow.create("a", "0");
		String ended = this.slow.create("a", "0");
		try (Fault full = refuseWrites()) {
			this.slow.set(changed, "a", "1");
			this.slow.repository.deleteById(ended);
			this.wire.blackhole();
			for (String id : new String[] { changed, ended }) {
				assertThatExceptionOfType(SessionStoreUnavailableException.class)
					.isThrownBy(() -> this.slow.repository.findById(id));
			}
			this.wire.heal();
			await().until(() -> !this.slow.redisIsCutOff());
			assertThat(this.slow.get(changed, "a")).isEqualTo("1");
			assertThat(this.slow.repository.findById(ended)).isNull();
		}
		await().until(() -> this.slow.unpersisted().isEmpty());
		this.redis.flushAll();
		assertThat(this.slow.get(changed, "a")).isEqualTo("1");
		assertThat(this.slow.repository.findById(ended)).isNull();
	}

	@Test
	void writeWithTheDatabaseDown_ofASessionThatRedisHasLostMeanwhile_isRefused() {
		String id = this.slow.create("a", "0");
		ResilientSession session = this.slow.find(id);
		this.other.set(id, "a", "1");
		forget(id);
		this.postgres.kill();
		try {
			session.setAttribute("b", "1");
			assertThatExceptionOfType(SessionStoreUnavailableException.class)
				.isThrownBy(() -> this.slow.repository.save(session));
			assertThat(this.redis.keys(key(id))).isEmpty();
		}
		finally {
			this.postgres.restart();
		}
		await().ignoreExceptions().untilAsserted(() -> assertThat(this.slow.get(id, "a")).isEqualTo("1"));
	}

	@Test
	void requestThatHasReadWhatRedisLostSince_doesNotPutItOverALaterWrite() {
		try (SessionNode keeping = notReconciling()) {
			String id = keeping.create("a", "0");
			ResilientSession late = thatHasReadWhatRedisLosesBeforeALaterWrite(keeping, id);
			late.setAttribute("b", "1");
			keeping.repository.save(late);
			for (SessionNode node : new SessionNode[] { keeping, this.other }) {
				assertThat(node.get(id, "a")).isEqualTo("2");
				assertThat(node.get(id, "b")).isEqualTo("1");
			}
		}
	}

	@Test
	void changeOfId_thatHasReadWhatRedisLostSince_doesNotPutItOverALaterWrite() {
		try (SessionNode keeping = notReconciling()) {
			String id = keeping.create("a", "0");
			ResilientSession late = thatHasReadWhatRedisLosesBeforeALaterWrite(keeping, id);
			String newId = late.changeSessionId();
			keeping.repository.save(late);
			for (SessionNode node : new SessionNode[] { keeping, this.other }) {
				assertThat(node.get(newId, "a")).isEqualTo("2");
			}
		}
	}

	@Test
	void requestThatHasReadWhatOnlyTheCopyHas_persistsItAlsoIfOthersHaveCommittedSince() {
		try (SessionNode keeping = notReconciling()) {
			String id = keeping.create("a", "0");
			keep(keeping, id, "a", "1");
			ResilientSession late = keeping.find(id);
			commitElsewhere(id);
			late.setAttribute("b", "1");
			keeping.repository.save(late);
			this.redis.flushAll();
			assertThat(keeping.get(id, "a")).isEqualTo("1");
			assertThat(keeping.get(id, "b")).isEqualTo("1");
		}
	}

	@Test
	void requestThatHasReadMoreThanTheCopyHasNow_persistsWhatTheCopyHas() {
		String id = this.other.create("a", "0");
		ResilientSession late;
		try (SessionNode keeping = notReconciling()) {
			try (Fault full = refuseWrites()) {
				ResilientSession both = keeping.find(id);
				both.setAttribute("a", "1");
				both.setAttribute("b", "1");
				keeping.repository.save(both);
				byte[] copy = dump(id);
				keeping.set(id, "a", "2");
				late = keeping.find(id);
				restore(id, copy);
			}
			commitElsewhere(id);
			late.setAttribute("c", "1");
			keeping.repository.save(late);
			this.redis.flushAll();
			assertThat(keeping.get(id, "a")).isEqualTo("1");
			assertThat(keeping.get(id, "b")).isEqualTo("1");
			assertThat(keeping.get(id, "c")).isEqualTo("1");
		}
	}

	@Test
	void writeThatARequestHasReplacedAfterRedisLostIt_isNotBroughtBackByItsCopy() {
		String id = this.other.create("a", "0");
		try (SessionNode keeping = notReconciling()) {
			ResilientSession replacing;
			ResilientSession late;
			byte[] copy;
			try (Fault full = refuseWrites()) {
				keeping.set(id, "a", "1");
				replacing = keeping.find(id);
				late = keeping.find(id);
				copy = dump(id);
				forget(id);
			}
			commitElsewhere(id);
			replacing.setAttribute("a", "2");
			keeping.repository.save(replacing);
			restore(id, copy);
			late.setAttribute("b", "1");
			keeping.repository.save(late);
			assertThat(keeping.get(id, "a")).isEqualTo("2");
			this.redis.flushAll();
			assertThat(keeping.get(id, "a")).isEqualTo("2");
			assertThat(keeping.get(id, "b")).isEqualTo("1");
		}
	}

	@Test
	void writeThatOnlyTheCopyHad_isNotBroughtBack_overOneThatTookItsPlaceInTheCopy() {
		String id = this.other.create("a", "0");
		AtomicReference<Fault> again = new AtomicReference<>();
		try (SessionNode keeping = notReconciling()) {
			ResilientSession later = this.slow.find(id);
			ResilientSession late;
			try (Fault full = refuseWrites()) {
				keeping.set(id, "a", "1");
				late = keeping.find(id);
			}
			later.setAttribute("a", "2");
			after(1, () -> again.set(refuseWrites()));
			this.slow.repository.save(later);
			again.get().close();
			late.setAttribute("b", "1");
			keeping.repository.save(late);
			assertThat(keeping.get(id, "a")).isEqualTo("2");
			this.redis.flushAll();
			assertThat(keeping.get(id, "a")).isEqualTo("2");
			assertThat(keeping.get(id, "b")).isEqualTo("1");
		}
	}

	@Test
	void writeThatOnlyTheCopyGetsWhileItIsMerged_isNotLostToAnEarlierOne() {
		String id = this.other.create("a", "0");
		AtomicReference<Fault> again = new AtomicReference<>();
		try (SessionNode keeping = notReconciling()) {
			ResilientSession merging = this.slow.find(id);
			keep(keeping, id, "a", "1");
			merging.setAttribute("b", "1");
			after(1, () -> {
				again.set(refuseWrites());
				after(2, () -> keeping.set(id, "a", "2"));
			});
			this.slow.repository.save(merging);
			assertThat(this.between.get()).isNull();
			assertThat(keeping.get(id, "a")).isEqualTo("2");
			again.get().close();
			await().until(() -> this.slow.unpersisted().isEmpty());
			keeping.set(id, "c", "1");
			this.redis.flushAll();
			assertThat(keeping.get(id, "a")).isEqualTo("2");
			assertThat(keeping.get(id, "b")).isEqualTo("1");
		}
	}

	@Test
	void copyThatComesBack_whileTheRowIsLockedForAMoment_doesNotBringBackWhatTheRowWasGiven() {
		String id = this.other.create("a", "0");
		AtomicReference<Fault> again = new AtomicReference<>();
		byte[] copy;
		try (Fault full = refuseWrites()) {
			this.other.set(id, "a", "1");
			copy = dump(id);
		}
		await().until(() -> this.other.unpersisted().isEmpty());
		this.other.set(id, "a", "2");
		ResilientSession late = this.slow.find(id);
		late.setAttribute("b", "1");
		after(1, () -> {
			restore(id, copy);
			again.set(refuseWrites());
		});
		this.slow.repository.save(late);
		assertThat(this.between.get()).isNull();
		assertThat(this.other.get(id, "a")).isEqualTo("2");
		again.get().close();
		this.redis.flushAll();
		assertThat(this.other.get(id, "a")).isEqualTo("2");
		assertThat(this.other.get(id, "b")).isEqualTo("1");
	}

	@Test
	void copyThatComesBack_whileTheDatabaseIsGoneForAMoment_doesNotBringBackWhatTheRowWasGiven() {
		String id = this.other.create("a", "0");
		keep(this.other, id, "a", "1");
		byte[] copy = dump(id);
		await().until(() -> this.other.unpersisted().isEmpty());
		this.other.set(id, "a", "2");
		try (Wire database = Wire.to(this.postgres.host(), this.postgres.port());
				SessionNode node = SessionNode.on(this.redis, this.url)
					.database(database)
					.dataSource(AfterStatement::new)
					.start()) {
			ResilientSession late = node.find(id);
			late.setAttribute("b", "1");
			after(1, () -> {
				restore(id, copy);
				database.cut();
			});
			node.repository.save(late);
			assertThat(this.between.get()).isNull();
			assertThat(this.other.get(id, "a")).isEqualTo("2");
			assertThat(this.other.get(id, "b")).isEqualTo("1");
			database.heal();
		}
	}

	@Test
	void writeThatOnlyTheCopyHad_isNotBroughtBack_overOneOfANodeWithoutRedis() {
		String id = this.other.create("a", "0");
		AtomicReference<Fault> again = new AtomicReference<>();
		try (SessionNode keeping = notReconciling()) {
			ResilientSession later = this.slow.find(id);
			keep(keeping, id, "a", "1");
			later.setAttribute("a", "2");
			after(1, () -> again.set(refuseWrites()));
			this.slow.repository.save(later);
			this.wire.blackhole();
			again.get().close();
			this.slow.set(id, "a", "3");
			this.wire.heal();
			await().until(() -> !this.slow.redisIsCutOff());
			assertThat(keeping.get(id, "a")).isEqualTo("3");
			this.redis.flushAll();
			assertThat(keeping.get(id, "a")).isEqualTo("3");
		}
	}

	@Test
	void changeOfIdInAnOutage_ofASessionWhoseEndRedisHasNotBeenToldOf_isDropped() {
		String id = this.other.create("a", "0");
		ResilientSession moving = this.slow.find(id);
		this.postgres.execute(PostgresServer.database(this.url),
				"update resilient_session set version = version + 1, state = 1 where session_id = '" + id + "'");
		String newId = moving.changeSessionId();
		try (Fault full = refuseWrites()) {
			this.slow.repository.save(moving);
			assertThat(this.other.repository.findById(newId)).isNull();
		}
		assertThat(this.other.repository.findById(newId)).isNull();
	}

	@Test
	void changeOfIdInAnOutage_ofASessionThatRedisHasAnOlderStateOf_takesAlongWhatTheRowHas() {
		String id = this.slow.create("a", "0", "b", "0");
		ResilientSession moving = this.other.find(id);
		moving.setAttribute("b", "2");
		this.wire.blackhole();
		this.slow.set(id, "a", "1");
		String newId = moving.changeSessionId();
		try (Fault full = refuseWrites()) {
			this.other.repository.save(moving);
			assertThat(this.other.get(newId, "a")).isEqualTo("1");
			assertThat(this.other.get(newId, "b")).isEqualTo("2");
		}
		this.wire.heal();
		await().until(() -> !this.slow.redisIsCutOff());
		awaitRow(newId);
		this.redis.flushAll();
		assertThat(this.other.get(newId, "a")).isEqualTo("1");
		assertThat(this.other.get(newId, "b")).isEqualTo("2");
		assertThat(this.other.repository.findById(id)).isNull();
	}

	@Test
	void changeOfId_whoseCommitIsInDoubt_keepsWhatTheRowHas() {
		String id = this.other.create("a", "0", "b", "0");
		ResilientSession moving = this.slow.find(id);
		moving.setAttribute("b", "2");
		String newId = moving.changeSessionId();
		try (Wire cut = Wire.to(this.redis.host(), this.redis.port());
				SessionNode apart = SessionNode.on(this.redis, this.url).redis(cut).start()) {
			cut.blackhole();
			apart.set(id, "a", "1");
			// After the change that fails, with others and alone, the load of what it
			// missed, and the change.
			after(4, () -> {
				throw new IllegalStateException("The answer to the commit is lost");
			});
			this.slow.repository.save(moving);
			assertThat(this.between.get()).isNull();
			assertThat(this.other.get(newId, "a")).isEqualTo("1");
			assertThat(this.other.get(newId, "b")).isEqualTo("2");
			await().until(() -> this.slow.unpersisted().isEmpty());
			this.redis.flushAll();
			assertThat(this.other.get(newId, "a")).isEqualTo("1");
			assertThat(this.other.get(newId, "b")).isEqualTo("2");
			assertThat(this.other.repository.findById(id)).isNull();
		}
	}

	@Test
	void writeThatWasReplacedBeforeAChangeOfIdInAnOutage_doesNotComeAgainWithTheOldCopy() {
		String id = this.other.create("a", "0");
		try (SessionNode keeping = notReconciling()) {
			ResilientSession late;
			byte[] copy;
			String newId;
			try (Fault full = refuseWrites()) {
				keeping.set(id, "a", "1");
				late = keeping.find(id);
				copy = dump(id);
				keeping.set(id, "a", "2");
				ResilientSession moving = keeping.find(id);
				newId = moving.changeSessionId();
				keeping.repository.save(moving);
			}
			awaitRow(newId);
			restore(id, copy);
			late.setAttribute("b", "dropped");
			keeping.repository.save(late);
			assertThat(keeping.repository.findById(id)).isNull();
			this.redis.flushAll();
			assertThat(keeping.get(newId, "a")).isEqualTo("2");
		}
	}

	@Test
	void changeOfIdInAnOutage_takesAlongWhatIsWrittenIntoTheGapOfTheOldCopy() {
		String id = this.other.create("a", "0");
		ResilientSession moving = this.slow.find(id);
		forget(id);
		String newId = moving.changeSessionId();
		try (Fault full = refuseWrites()) {
			after(2, () -> this.other.set(id, "b", "1"));
			this.slow.repository.save(moving);
			assertThat(this.between.get()).isNull();
			assertThat(this.other.get(newId, "b")).isEqualTo("1");
		}
		awaitRow(newId);
		this.redis.flushAll();
		assertThat(this.other.get(newId, "b")).isEqualTo("1");
		assertThat(this.other.repository.findById(id)).isNull();
	}

	@Test
	void copyUnderAnEarlierId_isTakenAlong_alsoWhileOnlyRedisKnowsTheNewId() {
		String id = this.other.create("a", "0");
		try (SessionNode keeping = notReconciling()) {
			ResilientSession moving = keeping.find(id);
			ResilientSession late = keeping.find(id);
			String newId = moving.changeSessionId();
			byte[] marked;
			try (Fault full = refuseWrites()) {
				byte[] before = dump(id);
				keeping.set(id, "b", "1");
				marked = dump(id);
				restore(id, before);
				keeping.repository.save(moving);
			}
			this.postgres.execute(PostgresServer.database(this.url),
					"update resilient_session set version = version + 1, state = 1, moved_to = '%s' where session_id = '%s'"
						.formatted(newId, id));
			restore(id, marked);
			late.setAttribute("c", "dropped");
			keeping.repository.save(late);
			assertThat(keeping.repository.findById(id)).isNull();
			assertThat(keeping.get(newId, "b")).isEqualTo("1");
			awaitRow(newId);
			this.redis.flushAll();
			await().until(() -> "1".equals(keeping.get(newId, "b")));
		}
	}

	@Test
	void requestOfASessionThatBecameDurableSince_doesNotPutItsOwnStateIntoAGap() {
		String changed;
		String ended;
		try (Fault full = refuseWrites()) {
			changed = this.other.create("a", "1");
			ended = this.other.create();
		}
		ResilientSession late = this.slow.find(changed);
		ResilientSession lateOfEnded = this.slow.find(ended);
		awaitRow(changed);
		awaitRow(ended);
		this.other.set(changed, "a", "2");
		this.other.repository.deleteById(ended);
		forget(changed);
		forget(ended);
		try (Fault full = refuseWrites()) {
			late.setAttribute("b", "1");
			this.slow.repository.save(late);
			assertThat(this.other.get(changed, "a")).isEqualTo("2");
			assertThat(this.other.get(changed, "b")).isEqualTo("1");
			lateOfEnded.setAttribute("b", "1");
			this.slow.repository.save(lateOfEnded);
			assertThat(this.other.repository.findById(ended)).isNull();
		}
	}

	@Test
	void changeThatWasOverwrittenBeforeRedisWasTold_isNotCommittedAgain_withWhatOnlyTheCopyHas() {
		String id = this.other.create("a", "0");
		try (SessionNode keeping = notReconciling();
				Wire cut = Wire.to(this.redis.host(), this.redis.port());
				SessionNode apart = SessionNode.on(this.redis, this.url).redis(cut).start()) {
			ResilientSession merging = this.slow.find(id);
			keep(keeping, id, "b", "1");
			cut.blackhole();
			merging.setAttribute("a", "1");
			after(1, () -> apart.set(id, "a", "2"));
			this.slow.repository.save(merging);
			assertThat(this.between.get()).isNull();
			for (int i = 0; i < 2; i++) {
				assertThat(keeping.get(id, "a")).isEqualTo("2");
				assertThat(keeping.get(id, "b")).isEqualTo("1");
				this.redis.flushAll();
			}
		}
	}

	@Test
	void writeThatAnotherPersists_beforeTheDatabaseRefusesToMergeIt_isNotTakenOutOfTheCopy() {
		String id = this.other.create("a", "0");
		AtomicReference<Fault> again = new AtomicReference<>();
		try (SessionNode keeping = notReconciling()) {
			ResilientSession merging = this.slow.find(id);
			keep(keeping, id, "a", "1");
			byte[] marked = dump(id);
			merging.setAttribute("b", "1");
			after(2, () -> {
				this.other.set(id, "c", "1");
				restore(id, marked);
				again.set(refuseWrites());
			});
			this.slow.repository.save(merging);
			assertThat(this.between.get()).isNull();
			for (String name : new String[] { "a", "b", "c" }) {
				assertThat(keeping.get(id, name)).isEqualTo("1");
			}
			again.get().close();
			this.redis.flushAll();
			for (String name : new String[] { "a", "b", "c" }) {
				assertThat(keeping.get(id, name)).isEqualTo("1");
			}
		}
	}

	@Test
	void writeInAnOutage_ofACopyThatWasTouchedMeanwhile_isNotMadeOnceMoreOverALaterOne() {
		String id = this.other.create("a", "0");
		ResilientSession session = this.slow.find(id);
		ResilientSession touching = this.other.find(id);
		touching.setLastAccessedTime(session.getLastAccessedTime().plusSeconds(1));
		this.other.repository.save(touching);
		session.setLastAccessedTime(session.getLastAccessedTime().plusSeconds(2));
		session.setAttribute("a", "1");
		try (Fault full = refuseWrites()) {
			this.wire.delay(Duration.ofMillis(50));
			CompletableFuture<Void> later = CompletableFuture.runAsync(() -> {
				awaitSoon(() -> this.redis.call((commands) -> commands.hexists(key(id), "unpersisted")));
				this.other.set(id, "a", "2");
			});
			this.slow.repository.save(session);
			later.join();
			assertThat(this.other.get(id, "a")).isEqualTo("2");
		}
	}

	@Test
	void changeOfIdInAnOutage_whoseTombstoneIsLate_doesNotLoseTheSession() {
		String id = this.other.create("a", "0");
		ResilientSession moving = this.slow.find(id);
		String newId = moving.changeSessionId();
		try (Fault full = refuseWrites()) {
			this.wire.delay(Duration.ofMillis(20));
			CompletableFuture<Void> stall = CompletableFuture.runAsync(() -> {
				awaitSoon(() -> this.redis.<Long>call((commands) -> commands.exists(key(newId))) == 1);
				this.redis.call((commands) -> commands.clientPause(350));
			});
			try {
				this.slow.repository.save(moving);
			}
			catch (SessionStoreUnavailableException ex) {
				assertThat(ex).hasMessageContaining("could not");
			}
			stall.join();
			this.wire.heal();
			await().until(() -> this.other.repository.findById(id) == null);
			assertThat(this.other.get(newId, "a")).isEqualTo("0");
		}
		awaitRow(newId);
		this.redis.flushAll();
		assertThat(this.other.get(newId, "a")).isEqualTo("0");
		assertThat(this.other.repository.findById(id)).isNull();
	}

	@Test
	void changeOfIdInAnOutage_inTheMiddleOfWhichRedisIsLost_hasWhatOthersHaveCommitted() {
		String id = this.other.create("a", "0");
		ResilientSession moving = this.slow.find(id);
		this.other.set(id, "a", "1");
		byte[] old = dump(id);
		String newId = moving.changeSessionId();
		try (Fault full = refuseWrites()) {
			this.wire.delay(Duration.ofMillis(20));
			CompletableFuture<byte[]> first = CompletableFuture.supplyAsync(() -> {
				awaitSoon(() -> this.redis.<Long>call((commands) -> commands.exists(key(newId))) == 1);
				return dump(newId);
			});
			after(2, () -> {
				throw new IllegalStateException("The row cannot be read either");
			});
			this.slow.repository.save(moving);
			assertThat(this.between.get()).isNull();
			this.wire.heal();
			restore(newId, first.join());
			restore(id, old);
		}
		awaitRow(newId);
		this.redis.flushAll();
		assertThat(this.other.get(newId, "a")).isEqualTo("1");
	}

	@Test
	void writeThatTheRowWasGiven_doesNotComeAgainWithTheOldCopy_afterAChangeOfIdInAnOutage() {
		String id = this.other.create("a", "0");
		byte[] copy;
		try (Fault full = refuseWrites()) {
			this.other.set(id, "a", "1");
			copy = dump(id);
		}
		await().until(() -> this.other.unpersisted().isEmpty());
		this.other.set(id, "a", "2");
		ResilientSession late = this.slow.find(id);
		ResilientSession moving = this.other.find(id);
		String newId = moving.changeSessionId();
		try (Fault full = refuseWrites()) {
			this.other.repository.save(moving);
		}
		await().until(() -> this.other.unpersisted().isEmpty());
		restore(id, copy);
		late.setAttribute("b", "dropped");
		this.slow.repository.save(late);
		assertThat(this.other.repository.findById(id)).isNull();
		assertThat(this.other.get(newId, "a")).isEqualTo("2");
		this.redis.flushAll();
		assertThat(this.other.get(newId, "a")).isEqualTo("2");
	}

	private ResilientSession thatHasReadWhatRedisLosesBeforeALaterWrite(SessionNode keeping, String id) {
		keep(keeping, id, "a", "1");
		ResilientSession late = keeping.find(id);
		assertThat((String) late.getAttribute("a")).isEqualTo("1");
		forget(id);
		this.other.set(id, "a", "2");
		return late;
	}

	@Test
	void readOfASuspectCopy_whoseWritesAnotherMergesMeanwhile_seesThem() {
		try (SessionNode keeping = SessionNode.on(this.redis, this.url)
			.reconcileInterval(Duration.ofHours(1))
			.start()) {
			keepFromComparing();
			this.redis.call((commands) -> commands.hset("spring:session:agreed", "incarnation", "another"));
			await().until(() -> !this.slow.trustsRedis() && !this.other.trustsRedis());
			String id = keeping.create("a", "0");
			keep(keeping, id, "b", "1");
			commitElsewhere(id);
			this.between.set(() -> assertThat(this.other.get(id, "b")).isEqualTo("1"));
			assertThat(this.slow.get(id, "b")).isEqualTo("1");
			assertThat(this.between.get()).isNull();
		}
	}

	@Test
	void readOfASuspectCopy_thatIsOlderThanItsRow_seesTheLastAccessThatOnlyTheCopyHas() {
		try (SessionNode touching = notReconciling()) {
			keepFromComparing();
			this.redis.call((commands) -> commands.hset("spring:session:agreed", "incarnation", "another"));
			await().until(() -> !this.slow.trustsRedis());
			String id = touching.create("a", "0");
			Instant access = Instant.now().plusSeconds(5).truncatedTo(ChronoUnit.MILLIS);
			ResilientSession session = touching.find(id);
			session.setLastAccessedTime(access);
			touching.repository.save(session);
			commitElsewhere(id);
			assertThat(this.slow.find(id).getLastAccessedTime()).isEqualTo(access);
		}
	}

	/**
	 * A node that persists and settles nothing in the background.
	 */
	private SessionNode notReconciling() {
		return SessionNode.on(this.redis, this.url).notPuttingBack().reconcileInterval(Duration.ofHours(1)).start();
	}

	private void saveWhileItsRowIsLocked(ResilientSession session, Duration locked) {
		Fault lock = this.postgres.lockRow(this.url, "resilient_session", "session_id = '" + session.getId() + "'");
		Future<?> unlocked = CompletableFuture.runAsync(lock::close,
				CompletableFuture.delayedExecutor(locked.toMillis(), TimeUnit.MILLISECONDS));
		this.other.repository.save(session);
		assertThat(unlocked).succeedsWithin(Duration.ofSeconds(10));
	}

	private Fault refuseWrites() {
		return this.postgres.refuseWrites(this.url, "resilient_session", "53100");
	}

	/**
	 * Let a node write what the database refuses, so that only Redis has it.
	 */
	private void keep(SessionNode node, String id, String name, String value) {
		try (Fault full = refuseWrites()) {
			node.set(id, name, value);
		}
	}

	/**
	 * Let no node compare the copies with the rows in the background.
	 */
	private void keepFromComparing() {
		this.postgres.execute(PostgresServer.database(this.url),
				"delete from resilient_session_lease; insert into resilient_session_lease "
						+ "values ('resync', 'the test', %d, '')".formatted(Long.MAX_VALUE));
	}

	/**
	 * A session that only Redis has, as plain Spring Session creates them.
	 */
	private String withoutRow() {
		String id = this.other.create("a", "0");
		this.redis.call((commands) -> commands.hdel(key(id), "version"));
		this.postgres.execute(PostgresServer.database(this.url),
				"delete from resilient_session where session_id = '" + id + "'");
		return id;
	}

	/**
	 * Let Redis lose a copy or a tombstone, as it does when it evicts.
	 */
	private void forget(String id) {
		assertThat(this.redis.<Long>call((commands) -> commands.del(key(id)))).isEqualTo(1);
	}

	private byte[] dump(String id) {
		return this.redis.call((commands) -> commands.dump(key(id)));
	}

	/**
	 * Let a copy come back, as it does with a snapshot or a replica that lags behind.
	 */
	private void restore(String id, byte[] copy) {
		this.redis.call((commands) -> commands.restore(key(id), copy, RestoreArgs.Builder.ttl(60_000).replace()));
	}

	/**
	 * Let another have committed, of which Redis has not been told.
	 */
	private void commitElsewhere(String id) {
		this.postgres.execute(PostgresServer.database(this.url),
				"update resilient_session set version = version + 1 where session_id = '" + id + "'");
	}

	/**
	 * Wait for something to which the test has to react at once.
	 */
	private static void awaitSoon(Callable<Boolean> condition) {
		await().pollDelay(Duration.ZERO).pollInterval(Duration.ofMillis(1)).until(condition);
	}

	private void awaitRow(String id) {
		await().until(() -> this.postgres.queryForLong(PostgresServer.database(this.url),
				"select count(*) from resilient_session where session_id = '" + id + "'") == 1);
	}

	/**
	 * Let every node have probed Redis.
	 */
	private void awaitBeats() {
		long beat = beat();
		await().until(() -> beat() >= beat + 4);
	}

	private long beat() {
		return Long.parseLong(this.redis.call((commands) -> commands.hget("spring:session:agreed", "beat")));
	}

	private static String key(String id) {
		return "spring:session:sessions:" + id;
	}

	/**
	 * Let something come after some statements from now.
	 */
	private void after(int statements, Runnable task) {
		this.between.set((statements == 1) ? task : () -> after(statements - 1, task));
	}

	private void runBetween() {
		Runnable task = this.between.getAndSet(null);
		if (task != null) {
			task.run();
		}
	}

	private final class AfterLoad implements SessionStoreListener {

		@Override
		public void onBatchLoaded(int sessions, Duration took) {
			runBetween();
		}

	}

	/**
	 * A data source whose statements are followed by what comes between, if a test's own
	 * thread executes them.
	 */
	private final class AfterStatement extends DelegatingDataSource {

		private final Thread test = Thread.currentThread();

		AfterStatement(DataSource pool) {
			super(pool);
		}

		@Override
		public Connection getConnection() throws SQLException {
			Connection connection = super.getConnection();
			return (Thread.currentThread() != this.test) ? connection
					: (Connection) Proxy.newProxyInstance(getClass().getClassLoader(),
							new Class<?>[] { Connection.class }, (proxy, method, arguments) -> {
								try {
									Object result = method.invoke(connection, arguments);
									if (method.getName().equals("close")) {
										runBetween();
									}
									return result;
								}
								catch (InvocationTargetException ex) {
									throw ex.getCause();
								}
							});
		}

	}

}

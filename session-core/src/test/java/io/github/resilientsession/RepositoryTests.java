package io.github.resilientsession;

import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Map;
import java.util.UUID;

import io.github.resilientsession.codec.AttributeNotSerializableException;
import io.github.resilientsession.record.TtlPolicy;
import io.github.resilientsession.testsupport.RealServers;
import io.github.resilientsession.testsupport.RedisServer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import org.springframework.session.FindByIndexNameSessionRepository;
import org.springframework.session.FlushMode;
import org.springframework.session.SaveMode;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.awaitility.Awaitility.await;

@RealServers
class RepositoryTests {

	private final RedisServer redis;

	private final String url = "jdbc:h2:mem:" + UUID.randomUUID() + ";DB_CLOSE_DELAY=-1";

	private SessionNode node;

	private SessionNode other;

	RepositoryTests(RedisServer redis) {
		this.redis = redis;
	}

	@BeforeEach
	void start() {
		this.node = SessionNode.on(this.redis, this.url).start();
		this.other = SessionNode.on(this.redis, this.url).start();
	}

	@AfterEach
	void stop() {
		this.node.close();
		this.other.close();
	}

	@Test
	void save_makesTheSessionVisibleToAnotherNode_withItsTimes() {
		ResilientSession session = this.node.repository.createSession();
		session.setAttribute("cart", "apple");
		session.setMaxInactiveInterval(Duration.ofMinutes(10));
		this.node.repository.save(session);
		ResilientSession found = this.other.find(session.getId());
		assertThat(found.<String>getAttribute("cart")).isEqualTo("apple");
		assertThat(found.getAttributeNames()).containsExactly("cart");
		assertThat(found.getMaxInactiveInterval()).isEqualTo(Duration.ofMinutes(10));
		assertThat(found.getCreationTime()).isEqualTo(session.getCreationTime());
		assertThat(found.isExpired()).isFalse();
		assertThat(this.redis.pttl(key(session.getId()))).isBetween(590_000L, 600_000L);
		assertThat(this.other.events.of("redisHit")).isEqualTo(1);
	}

	@Test
	void findById_afterFlush_findsTheSessionAndRebuildsTheCopyWithATtl() {
		String id = this.node.create("cart", "apple");
		this.redis.flushAll();
		assertThat(this.node.get(id, "cart")).isEqualTo("apple");
		assertThat(this.node.events.of("lostByRedis")).isEqualTo(1);
		await().untilAsserted(() -> assertThat(this.redis.pttl(key(id))).isPositive());
		assertThat(this.node.get(id, "cart")).isEqualTo("apple");
		assertThat(this.node.events.of("redisHit")).isEqualTo(1);
	}

	@Test
	void save_ofDifferentAttributesFromTheSameState_keepsBoth() {
		String id = this.node.create("a", "0", "b", "0");
		ResilientSession one = this.node.find(id);
		ResilientSession two = this.other.find(id);
		one.setAttribute("a", "1");
		two.setAttribute("b", "1");
		two.removeAttribute("c");
		this.node.repository.save(one);
		this.other.repository.save(two);
		for (boolean flushed : new boolean[] { false, true }) {
			if (flushed) {
				this.redis.flushAll();
			}
			assertThat(this.node.get(id, "a")).isEqualTo("1");
			assertThat(this.node.get(id, "b")).isEqualTo("1");
		}
		assertThat(this.other.events.of("merged")).isEqualTo(1);
	}

	@Test
	void removedAttribute_isGoneInBothTiers() {
		String id = this.node.create("a", "1", "b", "1");
		ResilientSession session = this.node.find(id);
		session.removeAttribute("a");
		this.node.repository.save(session);
		assertThat(this.other.find(id).getAttributeNames()).containsExactly("b");
		this.redis.flushAll();
		assertThat(this.other.find(id).getAttributeNames()).containsExactly("b");
	}

	@Test
	void deleteById_endsTheSessionInBothTiers_andALateSaveDoesNotBringItBack() {
		String id = this.node.create("a", "1");
		ResilientSession late = this.other.find(id);
		this.node.repository.deleteById(id);
		assertThat(this.node.repository.findById(id)).isNull();
		late.setAttribute("a", "2");
		this.other.repository.save(late);
		assertThat(this.other.events.of("lateSaveDropped")).isEqualTo(1);
		assertThat(this.other.repository.findById(id)).isNull();
		this.redis.flushAll();
		assertThat(this.other.repository.findById(id)).isNull();
	}

	@Test
	void changeSessionId_movesTheSession_andTheOldIdIsDead() {
		String oldId = this.node.create("a", "1");
		ResilientSession session = this.node.find(oldId);
		String newId = session.changeSessionId();
		session.setAttribute("b", "1");
		this.node.repository.save(session);
		for (boolean flushed : new boolean[] { false, true }) {
			if (flushed) {
				this.redis.flushAll();
			}
			assertThat(this.other.repository.findById(oldId)).isNull();
			assertThat(this.other.get(newId, "a")).isEqualTo("1");
			assertThat(this.other.get(newId, "b")).isEqualTo("1");
		}
	}

	@Test
	void changeSessionId_ofASessionThatAnotherRequestChanged_keepsThatChange() {
		String oldId = this.node.create("a", "0");
		ResilientSession login = this.node.find(oldId);
		this.other.set(oldId, "a", "1");
		String newId = login.changeSessionId();
		this.node.repository.save(login);
		assertThat(this.other.get(newId, "a")).isEqualTo("1");
		assertThat(this.other.repository.findById(oldId)).isNull();
	}

	@Test
	void save_repeatedAfterItWasCommitted_isHarmless() {
		ResilientSession session = this.node.repository.createSession();
		session.setAttribute("a", "1");
		this.node.repository.save(session);
		this.node.repository.save(session);
		session.setAttribute("a", "2");
		this.node.repository.save(session);
		assertThat(this.other.get(session.getId(), "a")).isEqualTo("2");
	}

	@Test
	void touch_movesTheTtlInRedisAndTheLastAccessInTheDurableStore() {
		String id = this.node.create("a", "1");
		ResilientSession session = this.node.find(id);
		Instant later = session.getLastAccessedTime().plusSeconds(60);
		session.setLastAccessedTime(later);
		this.node.repository.save(session);
		assertThat(this.other.find(id).getLastAccessedTime()).isEqualTo(later);
		await().untilAsserted(() -> {
			this.redis.flushAll();
			assertThat(this.other.find(id).getLastAccessedTime()).isEqualTo(later);
		});
	}

	@Test
	void touch_thatIsOlder_doesNotMoveTheLastAccessBack() {
		ResilientSession session = this.node.repository.createSession();
		Instant now = Instant.now().truncatedTo(ChronoUnit.MILLIS);
		session.setLastAccessedTime(now.minusSeconds(60));
		this.node.repository.save(session);
		ResilientSession early = this.node.find(session.getId());
		ResilientSession late = this.other.find(session.getId());
		late.setLastAccessedTime(now.minusSeconds(10));
		this.other.repository.save(late);
		early.setLastAccessedTime(now.minusSeconds(20));
		this.node.repository.save(early);
		assertThat(this.node.find(session.getId()).getLastAccessedTime()).isEqualTo(now.minusSeconds(10));
	}

	@Test
	void expiredSession_isAbsent() {
		ResilientSession session = this.node.repository.createSession();
		session.setMaxInactiveInterval(Duration.ofSeconds(1));
		this.node.repository.save(session);
		assertThat(this.other.repository.findById(session.getId())).isNotNull();
		await().untilAsserted(() -> assertThat(this.other.repository.findById(session.getId())).isNull());
	}

	@Test
	void neverExpiring_isClampedToTheMaximum() {
		ResilientSession session = this.node.repository.createSession();
		session.setMaxInactiveInterval(Duration.ofSeconds(-1));
		this.node.repository.save(session);
		assertThat(session.getMaxInactiveInterval()).isEqualTo(Duration.ofDays(30));
		assertThat(this.redis.pttl(key(session.getId()))).isBetween(1L, Duration.ofDays(30).toMillis());
		assertThat(this.node.events.of("ttlClamped")).isEqualTo(1);
	}

	@Test
	void neverExpiring_isRefusedWhereThePolicySaysSo() {
		try (SessionNode strict = SessionNode.on(this.redis, this.url)
			.ttl(new TtlPolicy(Duration.ofMinutes(1), Duration.ofHours(1), TtlPolicy.OnViolation.REJECT))
			.start()) {
			ResilientSession session = strict.repository.createSession();
			assertThatIllegalArgumentException().isThrownBy(() -> session.setMaxInactiveInterval(Duration.ZERO))
				.withMessageContaining("resilient-session.ttl");
			assertThatIllegalArgumentException()
				.isThrownBy(() -> session.setMaxInactiveInterval(Duration.ofSeconds(59)));
			session.setMaxInactiveInterval(Duration.ofMinutes(1));
		}
	}

	@ParameterizedTest
	@ValueSource(strings = { "", " ", "a*", "a?", "[a]", "a\nb", "a\0b", "ä", "{a}", "a b", "a\\b" })
	void implausibleId_isAbsent_withoutAskingAStore(String id) {
		assertThat(this.node.repository.findById(id)).isNull();
		this.node.repository.deleteById(id);
		assertThat(this.node.repository.findById("x".repeat(10_000))).isNull();
		assertThat(this.node.events.of("unknown")).isZero();
		assertThat(this.redis.keys("spring:session:sessions:*")).isEmpty();
	}

	@Test
	void unknownId_isAbsent() {
		assertThat(this.node.repository.findById(UUID.randomUUID().toString())).isNull();
		assertThat(this.node.events.of("unknown")).isEqualTo(1);
	}

	@Test
	void attributeThatCannotBeSerialized_isNamed_andNothingIsWritten() {
		String id = this.node.create("a", "0");
		ResilientSession session = this.node.find(id);
		session.setAttribute("a", "1");
		session.setAttribute("thread", Thread.currentThread());
		assertThatExceptionOfType(AttributeNotSerializableException.class)
			.isThrownBy(() -> this.node.repository.save(session))
			.withMessageContaining("'thread'")
			.withMessageContaining(Thread.class.getName())
			.withMessageNotContaining(id);
		assertThat(this.other.get(id, "a")).isEqualTo("0");
		session.removeAttribute("thread");
		this.node.repository.save(session);
		assertThat(this.other.get(id, "a")).isEqualTo("1");
	}

	@Test
	void sessionLargerThanAllowed_isRefusedWithBothSizes_andNothingIsWritten() {
		try (SessionNode small = SessionNode.on(this.redis, this.url).maxSessionSize(10_000).start()) {
			String id = small.create("a", "0");
			ResilientSession session = small.find(id);
			session.setAttribute("a", "1");
			session.setAttribute("large", new byte[20_000]);
			assertThatExceptionOfType(SessionTooLargeException.class).isThrownBy(() -> small.repository.save(session))
				.withMessageContaining("10000 bytes")
				.withMessageContaining("20")
				.withMessageNotContaining(id);
			assertThat(this.other.get(id, "a")).isEqualTo("0");
		}
	}

	@Test
	void attributeWhoseBytesGiveNoValue_isAbsent_andTheOthersAreThere() {
		String id = this.node.create("a", "1", "b", "1");
		this.redis.call((commands) -> commands.hset(key(id), "sessionAttr:a", "not a java object"));
		ResilientSession session = this.node.find(id);
		assertThat(session.<Object>getAttribute("a")).isNull();
		assertThat(session.<Object>getAttribute("b")).isEqualTo("1");
		assertThat(this.node.events.of("quarantined")).isEqualTo(1);
	}

	@Test
	void truncatedCopy_isRebuilt() {
		String id = this.node.create("a", "1");
		this.redis.call((commands) -> commands.hdel(key(id), "creationTime"));
		assertThat(this.node.get(id, "a")).isEqualTo("1");
		await()
			.untilAsserted(() -> assertThat(this.redis.<Long>call((commands) -> commands.hlen(key(id)))).isEqualTo(5));
	}

	@Test
	void keyOfAnotherType_isReplacedByTheCopy() {
		String id = this.node.create("a", "1");
		this.redis.call((commands) -> commands.setex(key(id), 100, "foreign"));
		assertThat(this.node.get(id, "a")).isEqualTo("1");
		await().untilAsserted(
				() -> assertThat(this.redis.<String>call((commands) -> commands.type(key(id)))).isEqualTo("hash"));
		this.redis.call((commands) -> commands.setex(key(id), 100, "foreign"));
		ResilientSession session = this.node.repository.createSession();
		this.node.repository.save(session);
	}

	@Test
	void keyOfAnotherType_betweenReadAndSave_doesNotLoseTheSave() {
		String id = this.node.create("a", "0");
		ResilientSession session = this.node.find(id);
		this.redis.call((commands) -> commands.setex(key(id), 100, "foreign"));
		session.setAttribute("a", "1");
		this.node.repository.save(session);
		assertThat(this.other.get(id, "a")).isEqualTo("1");
	}

	@Test
	void findByPrincipalName_findsTheSessionsOfThatPrincipal() {
		String id = this.node.create(FindByIndexNameSessionRepository.PRINCIPAL_NAME_INDEX_NAME, "anna");
		this.node.create(FindByIndexNameSessionRepository.PRINCIPAL_NAME_INDEX_NAME, "ben");
		ResilientSession renamed = this.node.find(id);
		String newId = renamed.changeSessionId();
		this.node.repository.save(renamed);
		Map<String, ResilientSession> found = this.other.repository.findByPrincipalName("anna");
		assertThat(found).containsOnlyKeys(newId);
		this.node.repository.deleteById(newId);
		assertThat(this.other.repository.findByPrincipalName("anna")).isEmpty();
	}

	@Test
	void flushModeImmediate_writesWithEachChange() {
		this.node.repository.setFlushMode(FlushMode.IMMEDIATE);
		ResilientSession session = this.node.repository.createSession();
		assertThat(this.other.repository.findById(session.getId())).isNotNull();
		session.setAttribute("a", "1");
		assertThat(this.other.get(session.getId(), "a")).isEqualTo("1");
	}

	@Test
	void saveModes_decideWhetherAMutatedAttributeIsSaved() {
		String id = this.node.repository.createSession().getId();
		ResilientSession session = this.node.repository.createSession();
		session.setAttribute("list", new java.util.ArrayList<>());
		this.node.repository.save(session);
		assertThat(id).isNotEqualTo(session.getId());
		mutate(SaveMode.ON_SET_ATTRIBUTE, session.getId());
		assertThat(sizeOf(session.getId())).isZero();
		mutate(SaveMode.ON_GET_ATTRIBUTE, session.getId());
		assertThat(sizeOf(session.getId())).isEqualTo(1);
	}

	private void mutate(SaveMode mode, String id) {
		this.node.repository.setSaveMode(mode);
		ResilientSession session = this.node.find(id);
		session.<java.util.List<String>>getAttribute("list").add("x");
		this.node.repository.save(session);
	}

	private int sizeOf(String id) {
		return this.other.find(id).<java.util.List<String>>getAttribute("list").size();
	}

	private static String key(String id) {
		return "spring:session:sessions:" + id;
	}

}

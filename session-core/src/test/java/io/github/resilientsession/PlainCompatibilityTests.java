package io.github.resilientsession;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.UUID;
import java.util.stream.Stream;

import io.github.resilientsession.flow.Mode;
import io.github.resilientsession.testsupport.RealServers;
import io.github.resilientsession.testsupport.RedisServer;
import io.github.resilientsession.testsupport.Wire;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

import org.springframework.data.redis.connection.lettuce.LettuceConnectionFactory;
import org.springframework.data.redis.core.RedisTemplate;
import org.springframework.data.redis.serializer.GenericJacksonJsonRedisSerializer;
import org.springframework.data.redis.serializer.RedisSerializer;
import org.springframework.session.Session;
import org.springframework.session.SessionRepository;
import org.springframework.session.data.redis.RedisSessionRepository;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.awaitility.Awaitility.await;

/**
 * Nodes of plain Spring Session and ours on the same sessions, with the default and with
 * a JSON serializer.
 */
@RealServers
class PlainCompatibilityTests {

	private final RedisServer redis;

	private final String url = "jdbc:h2:mem:" + UUID.randomUUID() + ";DB_CLOSE_DELAY=-1";

	PlainCompatibilityTests(RedisServer redis) {
		this.redis = redis;
	}

	static Stream<RedisSerializer<Object>> serializers() {
		return Stream.of(RedisSerializer.java(),
				GenericJacksonJsonRedisSerializer.create((builder) -> builder.enableUnsafeDefaultTyping()));
	}

	@ParameterizedTest
	@MethodSource("serializers")
	void plainNode_readsChangesAndEndsOurSessions(RedisSerializer<Object> serializer) {
		try (Plain plain = new Plain(serializer); SessionNode node = node(serializer, Mode.SHADOW)) {
			String id = node.create("a", "0", "gone", "x");
			ResilientSession session = node.find(id);
			session.removeAttribute("gone");
			node.repository.save(session);
			assertThat(plain.get(id, "a")).isEqualTo("0");
			assertThat(plain.get(id, "gone")).isNull();
			plain.set(id, "a", "1");
			assertThat(node.get(id, "a")).isEqualTo("1");
			node.set(id, "b", "1");
			assertThat(plain.get(id, "a")).isEqualTo("1");
			assertThat(plain.get(id, "b")).isEqualTo("1");
			node.repository.deleteById(id);
			assertThat(plain.find(id)).isNull();
			String ended = node.create("a", "0");
			plain.delete(ended);
			assertThat(node.repository.findById(ended)).isNull();
		}
	}

	@ParameterizedTest
	@MethodSource("serializers")
	void plainSession_isAdopted_andSurvivesAFlush(RedisSerializer<Object> serializer) {
		try (Plain plain = new Plain(serializer); SessionNode node = node(serializer, Mode.ACTIVE)) {
			String saved = plain.create("a", "0");
			String touched = plain.create("a", "0");
			node.set(saved, "b", "1");
			ResilientSession session = node.find(touched);
			session.setLastAccessedTime(session.getLastAccessedTime().plusSeconds(1));
			node.repository.save(session);
			assertThat(plain.get(saved, "b")).isEqualTo("1");
			this.redis.flushAll();
			assertThat(node.get(saved, "a")).isEqualTo("0");
			assertThat(node.get(saved, "b")).isEqualTo("1");
			assertThat(node.get(touched, "a")).isEqualTo("0");
		}
	}

	@ParameterizedTest
	@MethodSource("serializers")
	void plainSession_thatNeverExpires_getsATtlWhenItIsAdopted(RedisSerializer<Object> serializer) {
		try (Plain plain = new Plain(serializer); SessionNode node = node(serializer, Mode.ACTIVE)) {
			String id = plain.create("a", "0");
			this.redis.call((commands) -> commands.persist("spring:session:sessions:" + id));
			node.set(id, "a", "1");
			assertThat(this.redis.pttl("spring:session:sessions:" + id)).isPositive();
		}
	}

	@ParameterizedTest
	@MethodSource("serializers")
	void plainSession_whoseIdChanges_isNotStoredUnderTheOldOneByASlowerRequest(RedisSerializer<Object> serializer) {
		try (Plain plain = new Plain(serializer); SessionNode node = node(serializer, Mode.ACTIVE)) {
			String id = plain.create("a", "0");
			ResilientSession moving = node.find(id);
			ResilientSession slow = node.find(id);
			String newId = moving.changeSessionId();
			node.repository.save(moving);
			assertThat(node.get(newId, "a")).isEqualTo("0");
			assertThat(plain.find(id)).isNull();
			slow.setAttribute("late", "1");
			node.repository.save(slow);
			this.redis.flushAll();
			assertThat(node.repository.findById(id)).isNull();
			assertThat(node.get(newId, "a")).isEqualTo("0");
		}
	}

	@ParameterizedTest
	@MethodSource("serializers")
	void plainSession_thatAPlainNodeWritesToWhileItIsAdopted_keepsBoth(RedisSerializer<Object> serializer) {
		for (Mode mode : Mode.values()) {
			try (Plain plain = new Plain(serializer); SessionNode node = node(serializer, mode)) {
				String id = plain.create("a", "0");
				ResilientSession session = node.find(id);
				plain.set(id, "b", "1");
				session.setAttribute("c", "1");
				node.repository.save(session);
				for (String name : List.of("a", "b", "c")) {
					assertThat(plain.get(id, name)).as(name).isNotNull();
				}
				assertThat(node.get(id, "c")).isEqualTo("1");
				assertThat(node.get(id, "b")).isEqualTo("1");
			}
		}
	}

	@Test
	void sessionThatAPlainNodeHasEnded_whileTwoRequestsWroteToIt_staysEnded() {
		try (Plain plain = new Plain(RedisSerializer.java());
				SessionNode node = node(RedisSerializer.java(), Mode.SHADOW)) {
			String id = node.create("a", "0");
			ResilientSession late = node.find(id);
			node.set(id, "b", "1");
			plain.delete(id);
			late.setAttribute("c", "1");
			node.repository.save(late);
			assertThat(node.repository.findById(id)).isNull();
			assertThat(plain.find(id)).isNull();
		}
	}

	@Test
	void sessionThatAPlainNodeHasEnded_whileRedisMissesAnAnswer_isNotServedFromTheDatabase() {
		try (Wire wire = Wire.to(this.redis.host(), this.redis.port());
				Plain plain = new Plain(RedisSerializer.java());
				SessionNode node = SessionNode.on(this.redis, this.url).redis(wire).mode(Mode.SHADOW).start()) {
			String id = node.create("a", "0");
			plain.delete(id);
			wire.blackhole();
			assertThatExceptionOfType(SessionStoreUnavailableException.class)
				.isThrownBy(() -> node.repository.findById(id));
			wire.heal();
			await().until(() -> !node.redisIsCutOff());
			assertThat(node.repository.findById(id)).isNull();
			assertThat(plain.find(id)).isNull();
		}
	}

	@Test
	void serializerThatWritesTheSameDifferentlyEachTime_isRefusedAtTheStart() {
		RedisSerializer<Object> salted = new RedisSerializer<>() {

			private int salt;

			@Override
			public byte[] serialize(Object value) {
				return (value + " " + this.salt++).getBytes(StandardCharsets.UTF_8);
			}

			@Override
			public Object deserialize(byte[] bytes) {
				return new String(bytes, StandardCharsets.UTF_8);
			}

		};
		assertThatIllegalArgumentException().isThrownBy(() -> node(salted, Mode.ACTIVE))
			.withMessageContaining("writes the same value differently each time");
	}

	private SessionNode node(RedisSerializer<Object> serializer, Mode mode) {
		return SessionNode.on(this.redis, this.url).serializer(serializer).mode(mode).start();
	}

	/**
	 * A node of plain Spring Session.
	 */
	private final class Plain implements AutoCloseable {

		private final LettuceConnectionFactory connections = new LettuceConnectionFactory(
				PlainCompatibilityTests.this.redis.host(), PlainCompatibilityTests.this.redis.port());

		private final SessionRepository<Session> repository;

		Plain(RedisSerializer<Object> serializer) {
			this.connections.afterPropertiesSet();
			this.connections.start();
			RedisTemplate<String, Object> template = new RedisTemplate<>();
			template.setKeySerializer(RedisSerializer.string());
			template.setHashKeySerializer(RedisSerializer.string());
			template.setDefaultSerializer(serializer);
			template.setConnectionFactory(this.connections);
			template.afterPropertiesSet();
			this.repository = erased(new RedisSessionRepository(template));
		}

		@SuppressWarnings("unchecked")
		private static SessionRepository<Session> erased(SessionRepository<? extends Session> repository) {
			return (SessionRepository<Session>) repository;
		}

		String create(String name, String value) {
			Session session = this.repository.createSession();
			session.setMaxInactiveInterval(Duration.ofMinutes(30));
			session.setAttribute(name, value);
			this.repository.save(session);
			return session.getId();
		}

		Session find(String id) {
			return this.repository.findById(id);
		}

		Object get(String id, String name) {
			return find(id).getAttribute(name);
		}

		void set(String id, String name, String value) {
			Session session = find(id);
			session.setAttribute(name, value);
			this.repository.save(session);
		}

		void delete(String id) {
			this.repository.deleteById(id);
		}

		@Override
		public void close() {
			this.connections.destroy();
		}

	}

}

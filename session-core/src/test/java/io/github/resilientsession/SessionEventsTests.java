package io.github.resilientsession;

import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

import io.github.resilientsession.durable.Platform;
import io.github.resilientsession.testsupport.PostgresServer;
import io.github.resilientsession.testsupport.RealServers;
import io.github.resilientsession.testsupport.RedisServer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

import org.springframework.data.redis.connection.lettuce.LettuceConnectionFactory;
import org.springframework.data.redis.core.RedisTemplate;
import org.springframework.data.redis.serializer.RedisSerializer;
import org.springframework.session.FlushMode;
import org.springframework.session.Session;
import org.springframework.session.SessionRepository;
import org.springframework.session.data.redis.RedisSessionRepository;
import org.springframework.session.events.AbstractSessionEvent;
import org.springframework.session.events.SessionCreatedEvent;
import org.springframework.session.events.SessionDeletedEvent;
import org.springframework.session.events.SessionExpiredEvent;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

/**
 * Tests for Spring Session's events on a cluster of two nodes.
 */
@RealServers
class SessionEventsTests {

	private final ConcurrentLinkedQueue<AbstractSessionEvent> events = new ConcurrentLinkedQueue<>();

	private final RedisServer redis;

	private final PostgresServer postgres;

	private String url = "jdbc:h2:mem:" + UUID.randomUUID() + ";DB_CLOSE_DELAY=-1";

	private SessionNode node;

	private SessionNode other;

	SessionEventsTests(RedisServer redis, PostgresServer postgres) {
		this.redis = redis;
		this.postgres = postgres;
	}

	@BeforeEach
	void start() {
		this.node = SessionNode.on(this.redis, this.url).start();
		this.other = SessionNode.on(this.redis, this.url).start();
		for (SessionNode each : List.of(this.node, this.other)) {
			each.repository.setApplicationEventPublisher((event) -> this.events.add((AbstractSessionEvent) event));
		}
	}

	@AfterEach
	void stop() {
		this.node.close();
		this.other.close();
	}

	@Test
	void created_isPublishedWithTheFirstSaveOnly() {
		ResilientSession session = this.node.repository.createSession();
		assertThat(this.events).isEmpty();
		session.setAttribute("cart", "apple");
		this.node.repository.save(session);
		assertEvent(SessionCreatedEvent.class, session.getId(), "apple");
		this.node.repository.save(session);
		this.node.set(session.getId(), "cart", "pear");
		this.other.set(session.getId(), "cart", "plum");
		assertThat(this.events).hasSize(1);
	}

	@Test
	void created_withImmediateFlush_isPublishedOnce() {
		this.node.repository.setFlushMode(FlushMode.IMMEDIATE);
		ResilientSession session = this.node.repository.createSession();
		session.setAttribute("cart", "apple");
		this.node.repository.save(session);
		assertEvent(SessionCreatedEvent.class, session.getId(), null);
	}

	@Test
	void created_ofASessionThatPlainSpringSessionCreated_isNotPublished() {
		String id = createPlain();
		this.node.set(id, "cart", "pear");
		assertThat(this.events).isEmpty();
	}

	@Test
	void deleted_isPublishedOnceWithTheAttributes_howeverManyEndTheSession() throws Exception {
		for (int round = 0; round < 10; round++) {
			String id = this.node.create("cart", "apple");
			this.events.clear();
			endOnAllNodesAtOnce(id);
			assertThat(this.events).singleElement()
				.satisfies((event) -> assertThat(event).isInstanceOf(SessionDeletedEvent.class)
					.extracting(AbstractSessionEvent::getSessionId)
					.isEqualTo(id));
		}
		String id = this.node.create("cart", "apple");
		this.events.clear();
		this.other.repository.deleteById(id);
		assertEvent(SessionDeletedEvent.class, id, "apple");
	}

	private void endOnAllNodesAtOnce(String id) throws Exception {
		CyclicBarrier start = new CyclicBarrier(4);
		ExecutorService executor = Executors.newFixedThreadPool(4);
		try {
			List<Future<?>> ends = new ArrayList<>();
			for (SessionNode each : List.of(this.node, this.other, this.node, this.other)) {
				ends.add(executor.submit(() -> {
					start.await();
					each.repository.deleteById(id);
					return null;
				}));
			}
			for (Future<?> end : ends) {
				end.get();
			}
		}
		finally {
			executor.shutdownNow();
		}
	}

	@Test
	void deleted_whileTheDatabaseIsDown_isPublishedOnce_howeverManyEndTheSession() throws Exception {
		List<String> ids = new ArrayList<>();
		for (int round = 0; round < 10; round++) {
			ids.add(this.node.create("cart", "apple"));
		}
		this.events.clear();
		this.postgres.kill();
		try {
			for (String id : ids) {
				endOnAllNodesAtOnce(id);
			}
			assertThat(this.events).hasSize(ids.size())
				.extracting(AbstractSessionEvent::getSessionId)
				.hasSameElementsAs(ids);
		}
		finally {
			this.postgres.restart();
		}
		await().atMost(Duration.ofSeconds(20))
			.until(() -> this.node.unpersisted().isEmpty() && this.other.unpersisted().isEmpty());
		assertThat(this.events).hasSize(ids.size());
	}

	@Test
	void deleted_ofASessionThatIsNotThere_isNotPublished() {
		this.node.repository.deleteById(UUID.randomUUID().toString());
		assertThat(this.events).isEmpty();
	}

	@Test
	void deleted_whileRedisIsDown_isPublishedWithTheAttributes() {
		try (RedisServer own = RedisServer.start(); SessionNode cutOff = SessionNode.on(own, this.url).start()) {
			cutOff.repository.setApplicationEventPublisher((event) -> this.events.add((AbstractSessionEvent) event));
			String id = cutOff.create("cart", "apple");
			this.events.clear();
			own.kill();
			cutOff.repository.deleteById(id);
			assertEvent(SessionDeletedEvent.class, id, "apple");
		}
	}

	@Test
	void changeOfId_publishesNothing() {
		String id = this.node.create("cart", "apple");
		this.events.clear();
		ResilientSession session = this.other.find(id);
		String newId = session.changeSessionId();
		this.other.repository.save(session);
		assertThat(this.events).isEmpty();
		this.node.repository.deleteById(newId);
		assertEvent(SessionDeletedEvent.class, newId, "apple");
	}

	@Test
	void expired_isPublishedWithTheAttributes() {
		String id = this.node.create("cart", "apple");
		this.events.clear();
		this.node.repository.publishExpired(this.node.find(id).base());
		assertEvent(SessionExpiredEvent.class, id, "apple");
	}

	@ParameterizedTest
	@EnumSource
	void expired_isPublishedOncePerCluster_andNotForSessionsThatRedisKnowsToBeUsed(Platform platform)
			throws SQLException {
		if (platform == Platform.POSTGRESQL) {
			stop();
			this.url = this.postgres.createDatabase();
			start();
		}
		List<String> ids = new ArrayList<>();
		for (int i = 0; i < 20; i++) {
			ids.add(this.node.create("cart", "apple"));
		}
		List<String> used = ids.subList(0, 5);
		List<String> unused = ids.subList(5, 20);
		unused.forEach((id) -> this.redis.call((commands) -> commands.del("spring:session:sessions:" + id)));
		this.events.clear();
		try (Connection connection = DriverManager.getConnection(this.url, "postgres", "postgres");
				Statement statement = connection.createStatement()) {
			statement.executeUpdate("update resilient_session set last_accessed_at = last_accessed_at - 7200000, "
					+ "expires_at = expires_at - 7200000");
		}
		await().during(Duration.ofSeconds(2))
			.atMost(Duration.ofSeconds(60))
			.until(() -> this.events.size() >= unused.size());
		assertThat(this.events).hasOnlyElementsOfType(SessionExpiredEvent.class)
			.allSatisfy((event) -> assertThat(event.getSession().<Object>getAttribute("cart")).isEqualTo("apple"))
			.extracting(AbstractSessionEvent::getSessionId)
			.containsExactlyInAnyOrderElementsOf(unused);
		used.forEach((id) -> assertThat(this.other.get(id, "cart")).isEqualTo("apple"));
		this.redis.flushAll();
		used.forEach((id) -> assertThat(this.other.get(id, "cart")).isEqualTo("apple"));
		unused.forEach((id) -> assertThat(this.node.repository.findById(id)).isNull());
	}

	@Test
	void listener_thatThrows_failsNoCallAndLosesNothing() {
		this.node.repository.setApplicationEventPublisher((event) -> {
			throw new IllegalStateException("A listener failed");
		});
		String id = this.node.create("cart", "apple");
		assertThat(this.other.get(id, "cart")).isEqualTo("apple");
		this.node.repository.deleteById(id);
		assertThat(this.other.repository.findById(id)).isNull();
	}

	@Test
	void deleted_ofASessionThatOnlyPlainSpringSessionKnew_isPublishedWithTheAttributes() {
		String id = createPlain();
		this.node.repository.deleteById(id);
		this.other.repository.deleteById(id);
		assertEvent(SessionDeletedEvent.class, id, "apple");
	}

	private String createPlain() {
		LettuceConnectionFactory connections = new LettuceConnectionFactory(this.redis.host(), this.redis.port());
		try {
			connections.afterPropertiesSet();
			connections.start();
			RedisTemplate<String, Object> template = new RedisTemplate<>();
			template.setKeySerializer(RedisSerializer.string());
			template.setHashKeySerializer(RedisSerializer.string());
			template.setConnectionFactory(connections);
			template.afterPropertiesSet();
			return save(new RedisSessionRepository(template));
		}
		finally {
			connections.destroy();
		}
	}

	private static <S extends Session> String save(SessionRepository<S> repository) {
		S session = repository.createSession();
		session.setAttribute("cart", "apple");
		repository.save(session);
		return session.getId();
	}

	private void assertEvent(Class<? extends AbstractSessionEvent> type, String id, String cart) {
		assertThat(this.events).singleElement().satisfies((event) -> {
			assertThat(event).isExactlyInstanceOf(type);
			assertThat(event.getSessionId()).isEqualTo(id);
			assertThat(event.getSession().<Object>getAttribute("cart")).isEqualTo(cart);
		});
	}

}

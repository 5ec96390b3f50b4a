package io.github.resilientsession;

import java.time.Clock;
import java.time.Duration;
import java.util.Collection;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;

import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import io.github.resilientsession.circuit.CircuitSettings;
import io.github.resilientsession.codec.AttributeCodec;
import io.github.resilientsession.durable.DurableSettings;
import io.github.resilientsession.durable.DurableTier;
import io.github.resilientsession.durable.Platform;
import io.github.resilientsession.flow.LoadSettings;
import io.github.resilientsession.flow.Mode;
import io.github.resilientsession.flow.OutageSettings;
import io.github.resilientsession.flow.SessionFlow;
import io.github.resilientsession.record.ClusterClock;
import io.github.resilientsession.reconcile.ResyncSettings;
import io.github.resilientsession.record.SessionStoreListener;
import io.github.resilientsession.record.TtlPolicy;
import io.github.resilientsession.redis.RedisConnections;
import io.github.resilientsession.redis.RedisSettings;
import io.github.resilientsession.redis.RedisTier;
import io.github.resilientsession.testsupport.RedisServer;

import org.springframework.data.redis.connection.lettuce.LettuceConnectionFactory;
import org.springframework.data.redis.serializer.RedisSerializer;

/**
 * One node of an application, with connections of its own to real servers.
 */
final class SessionNode implements AutoCloseable {

	static final String APPLICATION_NAME = "resilient-session-test";

	static final int MAX_CONCURRENT_LOADS = 4;

	private static final CircuitSettings CIRCUIT = new CircuitSettings(20, 5, 50, Duration.ofMillis(100));

	final Events events = new Events();

	final ResilientSessionRepository repository;

	private final ResilientSessions sessions;

	private final HikariDataSource pool;

	private final RedisTier redis;

	private SessionNode(Options options) {
		HikariConfig config = new HikariConfig();
		config.setJdbcUrl(options.jdbcUrl);
		config.setUsername("postgres");
		config.setPassword("postgres");
		config.setMaximumPoolSize(8);
		config.setMinimumIdle(1);
		config.setConnectionTimeout(1_000);
		config.setValidationTimeout(500);
		config.setInitializationFailTimeout(-1);
		Platform platform = Platform.fromUrl(options.jdbcUrl);
		if (platform == Platform.POSTGRESQL) {
			config.addDataSourceProperty("ApplicationName", APPLICATION_NAME);
		}
		this.pool = new HikariDataSource(config);
		ClusterClock clock = new ClusterClock(options.clock);
		AttributeCodec codec = new AttributeCodec(options.serializer);
		LettuceConnectionFactory application = new LettuceConnectionFactory(options.redisHost, options.redisPort);
		this.redis = new RedisTier(RedisConnections.derive(application, Duration.ofMillis(250)), codec, options.ttl,
				new RedisSettings("spring:session", Duration.ofMillis(250)), clock, this.events);
		DurableSettings durableSettings = new DurableSettings(Duration.ofSeconds(2), Duration.ofSeconds(30), platform);
		DurableTier durable = new DurableTier(this.pool, durableSettings, clock, this.events);
		ResilientSessions.Settings settings = new ResilientSessions.Settings(
				new SessionFlow.Settings(options.mode, durableSettings,
						new LoadSettings(MAX_CONCURRENT_LOADS, 100, 10_000, Duration.ofSeconds(5)),
						new OutageSettings(options.strict, options.ttl.max())),
				new RepositorySettings(options.ttl, options.maxSessionSize, UnreadableAttributePolicy.QUARANTINE,
						Duration.ofSeconds(5)),
				CIRCUIT, CIRCUIT, new ResyncSettings(5_000, 0.2), Duration.ofMillis(200));
		this.sessions = new ResilientSessions(this.redis, durable, codec, settings, durable::initializeSchema, clock,
				this.events);
		this.repository = this.sessions.repository();
		this.sessions.start();
	}

	static Options on(RedisServer redis, String jdbcUrl) {
		return new Options(redis.host(), redis.port(), jdbcUrl);
	}

	boolean redisIsCutOff() {
		return this.sessions.redisCircuit().isOpen();
	}

	boolean durableIsCutOff() {
		return this.sessions.durableCircuit().isOpen();
	}

	/**
	 * Whether this node believes the copies in Redis as they are.
	 */
	boolean trustsRedis() {
		return !this.redisIsCutOff() && !this.redis.trust().state().suspect();
	}

	/**
	 * The sessions whose writes only Redis has, as far as this node remembers.
	 */
	Collection<String> unpersisted() {
		return this.sessions.unpersisted();
	}

	/**
	 * A new session with attributes, saved.
	 */
	String create(String... namesAndValues) {
		ResilientSession session = this.repository.createSession();
		for (int i = 0; i < namesAndValues.length; i += 2) {
			session.setAttribute(namesAndValues[i], namesAndValues[i + 1]);
		}
		this.repository.save(session);
		return session.getId();
	}

	/**
	 * Set an attribute of a session as a request would.
	 */
	void set(String id, String name, Object value) {
		ResilientSession session = find(id);
		session.setAttribute(name, value);
		this.repository.save(session);
	}

	Object get(String id, String name) {
		return find(id).getAttribute(name);
	}

	ResilientSession find(String id) {
		ResilientSession session = this.repository.findById(id);
		if (session == null) {
			throw new AssertionError("A live session was reported as absent");
		}
		return session;
	}

	@Override
	public void close() {
		this.sessions.close();
		this.pool.close();
	}

	/**
	 * What a node is made of.
	 */
	static final class Options {

		private final String redisHost;

		private int redisPort;

		private final String jdbcUrl;

		private Clock clock = Clock.systemUTC();

		private Mode mode = Mode.ACTIVE;

		private boolean strict;

		private long maxSessionSize = 1_048_576;

		private TtlPolicy ttl = new TtlPolicy(Duration.ofSeconds(1), Duration.ofDays(30), TtlPolicy.OnViolation.CLAMP);

		private RedisSerializer<Object> serializer = RedisSerializer.java();

		private Options(String redisHost, int redisPort, String jdbcUrl) {
			this.redisHost = redisHost;
			this.redisPort = redisPort;
			this.jdbcUrl = jdbcUrl;
		}

		Options clock(Clock clock) {
			this.clock = clock;
			return this;
		}

		Options mode(Mode mode) {
			this.mode = mode;
			return this;
		}

		/**
		 * Refuse writes while the database is down.
		 */
		Options strict() {
			this.strict = true;
			return this;
		}

		Options maxSessionSize(long bytes) {
			this.maxSessionSize = bytes;
			return this;
		}

		Options ttl(TtlPolicy ttl) {
			this.ttl = ttl;
			return this;
		}

		Options serializer(RedisSerializer<Object> serializer) {
			this.serializer = serializer;
			return this;
		}

		/**
		 * Another Redis port, for a node that cannot see Redis.
		 */
		Options redisPort(int port) {
			this.redisPort = port;
			return this;
		}

		SessionNode start() {
			return new SessionNode(this);
		}

	}

	/**
	 * Counts what a listener is told, by the method's name.
	 */
	static final class Events implements SessionStoreListener {

		private final ConcurrentHashMap<String, AtomicLong> counts = new ConcurrentHashMap<>();

		private void count(String event) {
			this.counts.computeIfAbsent(event, (name) -> new AtomicLong()).incrementAndGet();
		}

		long of(String event) {
			AtomicLong count = this.counts.get(event);
			return (count != null) ? count.get() : 0;
		}

		@Override
		public void onRedisHit() {
			count("redisHit");
		}

		@Override
		public void onLostByRedis() {
			count("lostByRedis");
		}

		@Override
		public void onRedisUnavailable() {
			count("redisUnavailable");
		}

		@Override
		public void onUnknown() {
			count("unknown");
		}

		@Override
		public void onCoalesced() {
			count("coalesced");
		}

		@Override
		public void onBatchLoaded(int size, Duration took) {
			count("batchLoaded");
			this.counts.computeIfAbsent("sessionsLoaded", (name) -> new AtomicLong()).addAndGet(size);
		}

		@Override
		public void onShed() {
			count("shed");
		}

		@Override
		public void onRebuilt() {
			count("rebuilt");
		}

		@Override
		public void onMerged() {
			count("merged");
		}

		@Override
		public void onLateSaveDropped() {
			count("lateSaveDropped");
		}

		@Override
		public void onRedisPending() {
			count("redisPending");
		}

		@Override
		public void onSettled() {
			count("settled");
		}

		@Override
		public void onUnpersisted() {
			count("unpersisted");
		}

		@Override
		public void onUnpersistedLost() {
			count("unpersistedLost");
		}

		@Override
		public void onQuarantined() {
			count("quarantined");
		}

		@Override
		public void onTtlClamped() {
			count("ttlClamped");
		}

	}

}

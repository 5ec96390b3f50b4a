package io.github.resilientsession;

import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.UnaryOperator;

import javax.sql.DataSource;

import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import io.github.resilientsession.circuit.CircuitSettings;
import io.github.resilientsession.codec.AttributeCodec;
import io.github.resilientsession.doctor.DoctorSettings;
import io.github.resilientsession.durable.DurableSettings;
import io.github.resilientsession.durable.DurableTier;
import io.github.resilientsession.durable.Platform;
import io.github.resilientsession.flow.LoadSettings;
import io.github.resilientsession.flow.Mode;
import io.github.resilientsession.flow.OutageSettings;
import io.github.resilientsession.flow.SessionFlow;
import io.github.resilientsession.record.ClusterClock;
import io.github.resilientsession.reconcile.Resync;
import io.github.resilientsession.reconcile.ResyncSettings;
import io.github.resilientsession.reconcile.TtlAuditSettings;
import io.github.resilientsession.record.SessionStoreListener;
import io.github.resilientsession.record.TtlPolicy;
import io.github.resilientsession.redis.RedisConnections;
import io.github.resilientsession.redis.RedisSettings;
import io.github.resilientsession.redis.RedisTier;
import io.github.resilientsession.testsupport.RedisServer;
import io.github.resilientsession.testsupport.Wire;
import io.lettuce.core.resource.ClientResources;
import io.micrometer.observation.ObservationRegistry;

import org.springframework.data.redis.connection.RedisStandaloneConfiguration;
import org.springframework.data.redis.connection.lettuce.LettuceClientConfiguration;
import org.springframework.data.redis.connection.lettuce.LettuceConnectionFactory;
import org.springframework.data.redis.serializer.RedisSerializer;

import static org.awaitility.Awaitility.await;

/**
 * One node of an application, with connections of its own to real servers.
 */
public final class SessionNode implements AutoCloseable {

	public static final String APPLICATION_NAME = "resilient-session-test";

	static final int MAX_CONCURRENT_LOADS = 4;

	public static final Duration REDIS_TIME_LIMIT = Duration.ofMillis(250);

	public static final Duration DURABLE_TIME_LIMIT = Duration.ofSeconds(2);

	public static final Duration LOAD_TIME_LIMIT = Duration.ofSeconds(5);

	public static final Duration RECONCILE_INTERVAL = Duration.ofMillis(200);

	/**
	 * Most tests count what Redis is asked.
	 */
	private static final DoctorSettings NO_DOCTOR = new DoctorSettings(false, Duration.ofSeconds(10),
			DoctorSettings.OnCritical.WARN, null, 0.8, 0.95, 1.5, Duration.ofSeconds(60), Duration.ofHours(2),
			Duration.ofMillis(50));

	private static final Duration PROBE_INTERVAL = Duration.ofMillis(100);

	public final Events events = new Events();

	public final ResilientSessionRepository repository;

	private final ResilientSessions sessions;

	private final HikariDataSource pool;

	private final RedisTier redis;

	/**
	 * As Boot gives them to an application's connection factory: with them comes the
	 * quick reconnecting.
	 */
	private final ClientResources clientResources = ClientResources.create();

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
		config.setConnectionInitSql(platform.connectionInitSql(DURABLE_TIME_LIMIT));
		if (platform == Platform.POSTGRESQL) {
			config.addDataSourceProperty("ApplicationName", options.name);
		}
		this.pool = new HikariDataSource(config);
		SessionStoreListener listener = options.tellAll(this.events);
		ClusterClock clock = new ClusterClock(options.clock);
		AttributeCodec codec = new AttributeCodec(options.serializer);
		LettuceConnectionFactory own = options.redisConnections
			.apply(RedisConnections.derive(application(options, this.clientResources), options.redisTimeLimit));
		this.redis = new RedisTier(own, codec, options.ttl, new RedisSettings("spring:session", options.redisTimeLimit),
				clock, listener);
		DurableSettings durableSettings = new DurableSettings(DURABLE_TIME_LIMIT, Duration.ofSeconds(30), platform);
		DurableTier durable = new DurableTier(options.dataSource.apply(this.pool), durableSettings, clock, listener);
		ResilientSessions.Settings settings = new ResilientSessions.Settings(
				new SessionFlow.Settings(options.mode, durableSettings,
						new LoadSettings(MAX_CONCURRENT_LOADS, 100, options.loadQueue, options.loadTimeLimit),
						new OutageSettings(options.strict, options.ttl.max())),
				new RepositorySettings(options.ttl, options.maxSessionSize, UnreadableAttributePolicy.QUARANTINE,
						Duration.ofSeconds(5)),
				circuit(options.redisProbeInterval), circuit(options.durableProbeInterval), options.resync,
				options.reconcileInterval, options.expiryInterval, options.doctor, options.ttlAudit);
		this.sessions = new ResilientSessions(this.redis, durable, codec, settings, durable::initializeSchema, clock,
				listener, options.observations);
		this.repository = this.sessions.repository();
		this.sessions.start();
	}

	private static CircuitSettings circuit(Duration probeInterval) {
		return new CircuitSettings(20, 5, 50, probeInterval);
	}

	private static LettuceConnectionFactory application(Options options, ClientResources resources) {
		return new LettuceConnectionFactory(new RedisStandaloneConfiguration(options.redisHost, options.redisPort),
				LettuceClientConfiguration.builder().clientResources(resources).build());
	}

	/**
	 * A node at addresses that need not be the servers' own.
	 */
	public static Options on(String redisHost, int redisPort, String jdbcUrl) {
		return new Options(redisHost, redisPort, jdbcUrl);
	}

	public static Options on(RedisServer redis, String jdbcUrl) {
		return new Options(redis.host(), redis.port(), jdbcUrl);
	}

	public boolean redisIsCutOff() {
		return this.sessions.redisCircuit().isOpen();
	}

	public boolean durableIsCutOff() {
		return this.sessions.durableCircuit().isOpen();
	}

	/**
	 * Whether this node believes the copies in Redis as they are.
	 */
	public boolean trustsRedis() {
		return !this.redisIsCutOff() && !this.redis.trust().state().suspect();
	}

	/**
	 * Whether nothing is to be put back into Redis any more.
	 */
	public boolean redisIsRefilled() {
		return this.redis.heartbeat().refillNote().isEmpty() && !this.sessions.resyncProgress().running();
	}

	/**
	 * All that an application can ask of it.
	 */
	public ResilientSessions sessions() {
		return this.sessions;
	}

	/**
	 * The sessions whose writes only Redis has, as far as this node remembers.
	 */
	public Collection<String> unpersisted() {
		return this.sessions.unpersisted();
	}

	/**
	 * What this node has done to make Redis agree with the database.
	 */
	public Resync.Progress resync() {
		return this.sessions.resyncProgress();
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
		this.clientResources.shutdown(0, 1, TimeUnit.SECONDS);
	}

	/**
	 * What a node is made of.
	 */
	public static final class Options {

		private String redisHost;

		private int redisPort;

		private String jdbcUrl;

		private String name = APPLICATION_NAME;

		private Duration redisTimeLimit = REDIS_TIME_LIMIT;

		private Clock clock = Clock.systemUTC();

		private Mode mode = Mode.ACTIVE;

		private boolean strict;

		private long maxSessionSize = 1_048_576;

		private TtlPolicy ttl = new TtlPolicy(Duration.ofSeconds(1), Duration.ofDays(30), TtlPolicy.OnViolation.CLAMP);

		private ResyncSettings resync = new ResyncSettings(5_000, 0.2);

		private Duration reconcileInterval = RECONCILE_INTERVAL;

		private Duration expiryInterval = Duration.ofMillis(500);

		private Duration redisProbeInterval = PROBE_INTERVAL;

		private Duration durableProbeInterval = PROBE_INTERVAL;

		private Duration loadTimeLimit = LOAD_TIME_LIMIT;

		private int loadQueue = 10_000;

		private DoctorSettings doctor = NO_DOCTOR;

		private TtlAuditSettings ttlAudit = new TtlAuditSettings(false, Duration.ofHours(1), 100_000, false);

		private ObservationRegistry observations = ObservationRegistry.NOOP;

		private RedisSerializer<Object> serializer = RedisSerializer.java();

		private UnaryOperator<DataSource> dataSource = UnaryOperator.identity();

		private UnaryOperator<LettuceConnectionFactory> redisConnections = UnaryOperator.identity();

		private List<SessionStoreListener> listeners = new ArrayList<>();

		private SessionStoreListener tellAll(SessionStoreListener first) {
			List<SessionStoreListener> all = new ArrayList<>(this.listeners);
			all.add(first);
			return SessionStoreListeners.of(all);
		}

		private Options(String redisHost, int redisPort, String jdbcUrl) {
			this.redisHost = redisHost;
			this.redisPort = redisPort;
			this.jdbcUrl = jdbcUrl;
		}

		public Options clock(Clock clock) {
			this.clock = clock;
			return this;
		}

		public Options mode(Mode mode) {
			this.mode = mode;
			return this;
		}

		/**
		 * Refuse writes while the database is down.
		 */
		public Options strict() {
			this.strict = true;
			return this;
		}

		public Options maxSessionSize(long bytes) {
			this.maxSessionSize = bytes;
			return this;
		}

		public Options ttl(TtlPolicy ttl) {
			this.ttl = ttl;
			return this;
		}

		public Options serializer(RedisSerializer<Object> serializer) {
			this.serializer = serializer;
			return this;
		}

		public Options resync(ResyncSettings resync) {
			this.resync = resync;
			return this;
		}

		/**
		 * Leave what Redis has lost to the reads that miss it: all of the memory is
		 * headroom.
		 */
		public Options notPuttingBack() {
			return resync(new ResyncSettings(5_000, 1));
		}

		/**
		 * The intervals and limits that users have by default: those of tests are
		 * shorter.
		 */
		public Options asByDefault() {
			this.reconcileInterval = Duration.ofSeconds(1);
			this.expiryInterval = Duration.ofSeconds(30);
			this.redisProbeInterval = Duration.ofMillis(200);
			this.durableProbeInterval = Duration.ofMillis(500);
			this.loadTimeLimit = Duration.ofSeconds(3);
			return this;
		}

		/**
		 * How often touches are flushed, and what is pending or unpersisted is settled.
		 */
		public Options reconcileInterval(Duration interval) {
			this.reconcileInterval = interval;
			return this;
		}

		/**
		 * How many sessions may wait to be loaded.
		 */
		public Options loadQueue(int capacity) {
			this.loadQueue = capacity;
			return this;
		}

		/**
		 * The application name that its connections to PostgreSQL give.
		 */
		public Options name(String name) {
			this.name = name;
			return this;
		}

		public Options redisTimeLimit(Duration limit) {
			this.redisTimeLimit = limit;
			return this;
		}

		/**
		 * A wire to Redis for this node.
		 */
		public Options redis(Wire wire) {
			this.redisHost = wire.host();
			return redisPort(wire.port());
		}

		/**
		 * A wire to PostgreSQL for this node.
		 */
		public Options database(Wire wire) {
			this.jdbcUrl = this.jdbcUrl.replaceFirst("//[^/]+/", "//" + wire.host() + ":" + wire.port() + "/");
			return this;
		}

		/**
		 * Another Redis port, for a node that cannot see Redis.
		 */
		public Options redisPort(int port) {
			this.redisPort = port;
			return this;
		}

		/**
		 * Something between the node and its pool, for a node that lacks a protection.
		 */
		public Options dataSource(UnaryOperator<DataSource> dataSource) {
			this.dataSource = dataSource;
			return this;
		}

		/**
		 * Something in place of the node's own connections to Redis, likewise.
		 */
		public Options redisConnections(UnaryOperator<LettuceConnectionFactory> redisConnections) {
			this.redisConnections = redisConnections;
			return this;
		}

		/**
		 * Somebody who looks at the Redis server.
		 */
		public Options doctor(DoctorSettings doctor) {
			this.doctor = doctor;
			return this;
		}

		public Options ttlAudit(TtlAuditSettings ttlAudit) {
			this.ttlAudit = ttlAudit;
			return this;
		}

		public Options observations(ObservationRegistry observations) {
			this.observations = observations;
			return this;
		}

		/**
		 * Somebody else who is told what the node's stores do.
		 */
		public Options listener(SessionStoreListener listener) {
			this.listeners.add(listener);
			return this;
		}

		/**
		 * Start the node and, if it sees both stores, wait until it trusts Redis.
		 */
		public SessionNode start() {
			SessionNode node = new SessionNode(this);
			try {
				await().until(() -> this.mode == Mode.SHADOW || node.redisIsCutOff() || node.durableIsCutOff()
						|| node.trustsRedis());
				return node;
			}
			catch (RuntimeException ex) {
				// Else it would go on, and disturb the tests that follow.
				node.close();
				throw ex;
			}
		}

	}

	/**
	 * Counts what a listener is told, by the method's name.
	 */
	public static final class Events implements SessionStoreListener {

		private final ConcurrentHashMap<String, AtomicLong> counts = new ConcurrentHashMap<>();

		private void count(String event) {
			this.counts.computeIfAbsent(event, (name) -> new AtomicLong()).incrementAndGet();
		}

		public long of(String event) {
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

		@Override
		public void onUnanswered() {
			count("unanswered");
		}

		@Override
		public void onFalseLogoutAvoided() {
			count("falseLogoutAvoided");
		}

		@Override
		public void onTtlMissing(boolean repaired) {
			count("ttlMissing");
		}

		@Override
		public void onTombstone() {
			count("tombstone");
		}

		@Override
		public void onTouchesFlushed(int count) {
			count("touchesFlushed");
		}

	}

}

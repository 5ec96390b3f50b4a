package io.github.resilientsession.benchmark;

import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.UnaryOperator;

import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import io.github.resilientsession.ResilientSession;
import io.github.resilientsession.SessionNode;
import io.github.resilientsession.testsupport.PostgresServer;
import io.github.resilientsession.testsupport.RedisServer;
import io.lettuce.core.resource.ClientResources;

import org.springframework.core.io.ClassPathResource;
import org.springframework.data.redis.connection.RedisStandaloneConfiguration;
import org.springframework.data.redis.connection.lettuce.LettuceClientConfiguration;
import org.springframework.data.redis.connection.lettuce.LettuceConnectionFactory;
import org.springframework.data.redis.core.RedisTemplate;
import org.springframework.data.redis.serializer.RedisSerializer;
import org.springframework.jdbc.core.JdbcTemplate;
import org.springframework.jdbc.datasource.DataSourceTransactionManager;
import org.springframework.jdbc.datasource.init.ResourceDatabasePopulator;
import org.springframework.session.SessionRepository;
import org.springframework.session.data.redis.RedisIndexedSessionRepository;
import org.springframework.session.data.redis.RedisSessionRepository;
import org.springframework.session.jdbc.JdbcIndexedSessionRepository;
import org.springframework.transaction.support.TransactionTemplate;

/**
 * Sets up those that are compared, each as its users have it by default: one shared
 * connection to Redis, and a pool of Hikari's default size. What Spring Session does
 * besides requests, to clean up and to tell of expired sessions, is left out.
 */
public final class Peers {

	static final String RESILIENT = "resilient";

	static final String JDBC = "jdbc";

	static final String CACHE_ASIDE = "cache-aside";

	/**
	 * Ten times as often as by default, so that what a node defers is done while it has
	 * its turn, and not in that of another.
	 */
	static final Duration RECONCILE_INTERVAL = Duration.ofMillis(100);

	private final RedisServer redis;

	private final PostgresServer postgres;

	/**
	 * Create them on these servers.
	 */
	public Peers(RedisServer redis, PostgresServer postgres) {
		this.redis = redis;
		this.postgres = postgres;
	}

	/**
	 * Resilient Session first, then what it is compared with.
	 */
	List<Peer<?>> all() {
		return List.of(resilient(RECONCILE_INTERVAL), plain(), indexed(), jdbc(), cacheAside());
	}

	Peer<ResilientSession> resilient(Duration reconcileInterval) {
		return resilient((options) -> options.reconcileInterval(reconcileInterval));
	}

	/**
	 * This library; its resources are the {@link SessionNode}.
	 * @param settings what is other than in tests
	 */
	public Peer<ResilientSession> resilient(UnaryOperator<SessionNode.Options> settings) {
		String url = this.postgres.createDatabase();
		SessionNode node = settings.apply(SessionNode.on(this.redis, url).name(RESILIENT)).start();
		// As an application does, which costs a read before each end.
		node.repository.setApplicationEventPublisher((event) -> {
		});
		return new Peer<>(RESILIENT, node.repository, "spring:session:sessions:", "resilient_session",
				PostgresServer.database(url), node);
	}

	/**
	 * Plain Spring Session with Redis.
	 */
	public Peer<?> plain() {
		Connections connections = new Connections(this.redis);
		RedisSessionRepository repository = new RedisSessionRepository(connections.template(RedisSerializer.java()));
		repository.setRedisKeyNamespace("session:plain");
		return peer("plain", repository, "session:plain:", "", "", connections);
	}

	/**
	 * Without the listener for its keyspace notifications, which Redis would send for the
	 * others too.
	 */
	private Peer<?> indexed() {
		Connections connections = new Connections(this.redis);
		RedisIndexedSessionRepository repository = new RedisIndexedSessionRepository(
				connections.template(RedisSerializer.java()));
		repository.setRedisKeyNamespace("session:index");
		return peer("indexed", repository, "session:index:", "", "", connections);
	}

	private Peer<?> jdbc() {
		String url = this.postgres.createDatabase();
		HikariDataSource pool = pool(url, JDBC);
		new ResourceDatabasePopulator(new ClassPathResource("org/springframework/session/jdbc/schema-postgresql.sql"))
			.execute(pool);
		JdbcIndexedSessionRepository repository = new JdbcIndexedSessionRepository(new JdbcTemplate(pool),
				new TransactionTemplate(new DataSourceTransactionManager(pool)));
		return peer(JDBC, repository, "there are none", "SPRING_SESSION", PostgresServer.database(url), pool);
	}

	/**
	 * A cache-aside as people write it by hand.
	 */
	public Peer<?> cacheAside() {
		String url = this.postgres.createDatabase();
		HikariDataSource pool = pool(url, CACHE_ASIDE);
		JdbcTemplate jdbc = new JdbcTemplate(pool);
		jdbc.execute(CacheAsideRepository.SCHEMA);
		Connections connections = new Connections(this.redis);
		CacheAsideRepository repository = new CacheAsideRepository(connections.template(RedisSerializer.byteArray()),
				jdbc);
		return peer(CACHE_ASIDE, repository, "cache-aside:", CacheAsideRepository.TABLE, PostgresServer.database(url),
				() -> {
					connections.close();
					pool.close();
				});
	}

	private static <S extends org.springframework.session.Session> Peer<S> peer(String name,
			SessionRepository<S> repository, String keys, String table, String database, AutoCloseable resources) {
		return new Peer<>(name, repository, keys, table, database, resources);
	}

	private HikariDataSource pool(String url, String name) {
		HikariConfig config = new HikariConfig();
		config.setJdbcUrl(url);
		config.addDataSourceProperty("ApplicationName", name);
		config.setUsername(this.postgres.username());
		config.setPassword(this.postgres.password());
		return new HikariDataSource(config);
	}

	/**
	 * Connections as an application has them.
	 */
	private static final class Connections implements AutoCloseable {

		private final ClientResources resources = ClientResources.create();

		private final LettuceConnectionFactory factory;

		Connections(RedisServer redis) {
			this.factory = new LettuceConnectionFactory(new RedisStandaloneConfiguration(redis.host(), redis.port()),
					LettuceClientConfiguration.builder().clientResources(this.resources).build());
			this.factory.afterPropertiesSet();
			this.factory.start();
		}

		<V> RedisTemplate<String, V> template(RedisSerializer<?> values) {
			RedisTemplate<String, V> template = new RedisTemplate<>();
			template.setConnectionFactory(this.factory);
			template.setKeySerializer(RedisSerializer.string());
			template.setHashKeySerializer(RedisSerializer.string());
			template.setValueSerializer(values);
			template.setHashValueSerializer(values);
			template.afterPropertiesSet();
			return template;
		}

		@Override
		public void close() {
			this.factory.destroy();
			this.resources.shutdown(0, 1, TimeUnit.SECONDS).awaitUninterruptibly(1, TimeUnit.SECONDS);
		}

	}

}

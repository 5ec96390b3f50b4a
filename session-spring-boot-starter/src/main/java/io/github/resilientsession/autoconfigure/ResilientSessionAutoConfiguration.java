package io.github.resilientsession.autoconfigure;

import java.time.Clock;

import io.github.resilientsession.RepositorySettings;
import io.github.resilientsession.ResilientSessionRepository;
import io.github.resilientsession.ResilientSessions;
import io.github.resilientsession.SessionStoreListeners;
import io.github.resilientsession.circuit.CircuitSettings;
import io.github.resilientsession.codec.AttributeCodec;
import io.github.resilientsession.durable.DurableSettings;
import io.github.resilientsession.durable.DurableTier;
import io.github.resilientsession.flow.LoadSettings;
import io.github.resilientsession.flow.OutageSettings;
import io.github.resilientsession.flow.SessionFlow;
import io.github.resilientsession.reconcile.ResyncSettings;
import io.github.resilientsession.reconcile.TtlAuditSettings;
import io.github.resilientsession.record.ClusterClock;
import io.github.resilientsession.record.SessionStoreListener;
import io.github.resilientsession.record.TtlPolicy;
import io.github.resilientsession.redis.RedisSettings;
import io.github.resilientsession.redis.RedisTier;
import io.micrometer.observation.ObservationRegistry;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

import org.springframework.beans.factory.BeanClassLoaderAware;
import org.springframework.beans.factory.ListableBeanFactory;
import org.springframework.beans.factory.ObjectProvider;
import org.springframework.beans.factory.annotation.Qualifier;
import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.boot.autoconfigure.condition.ConditionalOnBooleanProperty;
import org.springframework.boot.autoconfigure.condition.ConditionalOnClass;
import org.springframework.boot.autoconfigure.condition.ConditionalOnMissingBean;
import org.springframework.boot.autoconfigure.condition.ConditionalOnWebApplication;
import org.springframework.boot.context.properties.EnableConfigurationProperties;
import org.springframework.boot.context.properties.PropertyMapper;
import org.springframework.boot.data.redis.autoconfigure.DataRedisAutoConfiguration;
import org.springframework.boot.jdbc.autoconfigure.DataSourceAutoConfiguration;
import org.springframework.boot.session.autoconfigure.SessionAutoConfiguration;
import org.springframework.boot.session.autoconfigure.SessionTimeout;
import org.springframework.boot.session.data.redis.autoconfigure.SessionDataRedisAutoConfiguration;
import org.springframework.boot.session.data.redis.autoconfigure.SessionDataRedisProperties;
import org.springframework.context.ApplicationEventPublisher;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Import;
import org.springframework.core.Ordered;
import org.springframework.core.ResolvableType;
import org.springframework.core.annotation.Order;
import org.springframework.data.redis.connection.RedisConnectionFactory;
import org.springframework.data.redis.serializer.JdkSerializationRedisSerializer;
import org.springframework.data.redis.serializer.RedisSerializer;
import org.springframework.session.SessionIdGenerator;
import org.springframework.session.SessionRepository;
import org.springframework.session.config.SessionRepositoryCustomizer;
import org.springframework.session.config.annotation.web.http.SpringHttpSessionConfiguration;
import org.springframework.session.data.redis.RedisIndexedSessionRepository;
import org.springframework.session.data.redis.RedisSessionRepository;
import org.springframework.session.data.redis.config.annotation.SpringSessionRedisConnectionFactory;

/**
 * Auto-configuration for HTTP sessions that outlive Redis. Comes before Spring Boot's own
 * session support, which backs off where there is a {@link SessionRepository}.
 */
@AutoConfiguration(before = { SessionAutoConfiguration.class, SessionDataRedisAutoConfiguration.class },
		beforeName = "org.springframework.boot.session.jdbc.autoconfigure.JdbcSessionAutoConfiguration",
		after = { DataRedisAutoConfiguration.class, DataSourceAutoConfiguration.class })
@ConditionalOnWebApplication(type = ConditionalOnWebApplication.Type.SERVLET)
@ConditionalOnClass({ SessionRepository.class, RedisConnectionFactory.class })
@ConditionalOnBooleanProperty(name = "resilient-session.enabled", matchIfMissing = true)
@ConditionalOnMissingBean(SessionRepository.class)
@EnableConfigurationProperties({ ResilientSessionProperties.class, SessionDataRedisProperties.class })
@Import(SpringHttpSessionConfiguration.class)
public final class ResilientSessionAutoConfiguration implements BeanClassLoaderAware {

	private static final Logger logger = LoggerFactory.getLogger(ResilientSessionAutoConfiguration.class);

	private static final int CIRCUIT_WINDOW = 20;

	private static final int CIRCUIT_MINIMUM_CALLS = 5;

	private static final float CIRCUIT_FAILURE_RATE = 50;

	private ClassLoader classLoader = ResilientSessionAutoConfiguration.class.getClassLoader();

	@Override
	public void setBeanClassLoader(ClassLoader classLoader) {
		this.classLoader = classLoader;
	}

	@Bean
	SessionPool resilientSessionPool(ResilientSessionProperties properties,
			@ResilientSessionDataSource ObjectProvider<javax.sql.DataSource> qualified,
			ObjectProvider<javax.sql.DataSource> application) {
		properties.validate();
		return SessionPool.create(properties, qualified.getIfAvailable(), application.getIfUnique());
	}

	@Bean
	ResilientSessions resilientSessions(ResilientSessionProperties properties, SessionPool pool,
			SessionDataRedisProperties sessionProperties,
			@SpringSessionRedisConnectionFactory ObjectProvider<RedisConnectionFactory> sessionConnections,
			ObjectProvider<RedisConnectionFactory> connections,
			@Qualifier("springSessionDefaultRedisSerializer") ObjectProvider<RedisSerializer<Object>> serializer,
			ObjectProvider<SessionStoreListener> listeners, ObjectProvider<ObservationRegistry> observations) {
		ClusterClock clock = new ClusterClock(Clock.systemUTC());
		SessionStoreListener listener = SessionStoreListeners.of(listeners.orderedStream().toList());
		AttributeCodec codec = new AttributeCodec(
				serializer.getIfAvailable(() -> new JdkSerializationRedisSerializer(this.classLoader)));
		TtlPolicy ttl = new TtlPolicy(properties.ttl().min(), properties.ttl().max(), properties.ttl().onViolation());
		ResilientSessions.Settings settings = settings(properties, ttl, pool);
		RedisTier redis = new RedisTier(
				SessionRedis.connections(properties.redis(),
						() -> sessionConnections.getIfAvailable(connections::getIfUnique)),
				codec, ttl, new RedisSettings(sessionProperties.getNamespace().trim(), properties.redis().timeLimit()),
				clock, listener);
		DurableTier durable = new DurableTier(pool.dataSource(), settings.flow().durable(), clock, listener);
		return new ResilientSessions(redis, durable, codec, settings,
				new SchemaInitializer(durable, pool.dataSource(), properties.durable().initializeSchema()), clock,
				listener, observations.getIfUnique(() -> ObservationRegistry.NOOP));
	}

	private static ResilientSessions.Settings settings(ResilientSessionProperties properties, TtlPolicy ttl,
			SessionPool pool) {
		ResilientSessionProperties.Load load = properties.load();
		ResilientSessionProperties.TtlAudit audit = properties.ttlAudit();
		DurableSettings durable = new DurableSettings(properties.durable().timeLimit(),
				properties.durable().touchGrace(), pool.platform(properties));
		return new ResilientSessions.Settings(
				new SessionFlow.Settings(properties.mode(), durable,
						new LoadSettings(load.maxConcurrentLoads(), load.maxBatchSize(), load.queueCapacity(),
								load.timeLimit()),
						new OutageSettings(properties.strict(), ttl.max())),
				new RepositorySettings(ttl, properties.maxSessionSize().toBytes(), properties.unreadableAttributes(),
						properties.retryAfter()),
				new CircuitSettings(CIRCUIT_WINDOW, CIRCUIT_MINIMUM_CALLS, CIRCUIT_FAILURE_RATE,
						properties.redis().probeInterval()),
				new CircuitSettings(CIRCUIT_WINDOW, CIRCUIT_MINIMUM_CALLS, CIRCUIT_FAILURE_RATE,
						properties.durable().probeInterval()),
				new ResyncSettings(properties.resync().sessionsPerSecond(), properties.resync().memoryHeadroom()),
				properties.reconcileInterval(), properties.expiryInterval(), properties.doctor().settings(),
				new TtlAuditSettings(audit.enabled(), audit.interval(), audit.keysPerSecond(), audit.dryRun()));
	}

	@Bean
	ResilientSessionsLifecycle resilientSessionsLifecycle(ResilientSessions sessions) {
		return new ResilientSessionsLifecycle(sessions);
	}

	@Bean
	ResilientSessionRepository sessionRepository(ResilientSessions sessions,
			ObjectProvider<SessionIdGenerator> sessionIdGenerator,
			ObjectProvider<SessionRepositoryCustomizer<ResilientSessionRepository>> customizers,
			ListableBeanFactory beans, ApplicationEventPublisher publisher) {
		ResilientSessionRepository repository = sessions.repository();
		repository.setApplicationEventPublisher(publisher);
		sessionIdGenerator.ifAvailable(repository::setSessionIdGenerator);
		customizers.orderedStream().forEach((customizer) -> customizer.customize(repository));
		warnOfCustomizers(beans, RedisSessionRepository.class);
		warnOfCustomizers(beans, RedisIndexedSessionRepository.class);
		return repository;
	}

	@Bean
	@Order(Ordered.HIGHEST_PRECEDENCE)
	SessionRepositoryCustomizer<ResilientSessionRepository> springBootSessionRepositoryCustomizer(
			ResilientSessionProperties properties, SessionDataRedisProperties sessionProperties,
			ObjectProvider<SessionTimeout> sessionTimeout) {
		return (repository) -> {
			PropertyMapper map = PropertyMapper.get();
			sessionTimeout.ifAvailable((timeout) -> map.from(timeout::getTimeout).to((interval) -> {
				properties.validateTimeout(interval);
				repository.setDefaultMaxInactiveInterval(interval);
			}));
			map.from(sessionProperties::getFlushMode).to(repository::setFlushMode);
			map.from(sessionProperties::getSaveMode).to(repository::setSaveMode);
		};
	}

	private static void warnOfCustomizers(ListableBeanFactory beans, Class<?> repositoryType) {
		for (String name : beans.getBeanNamesForType(
				ResolvableType.forClassWithGenerics(SessionRepositoryCustomizer.class, repositoryType))) {
			logger.warn(
					"The bean '{}' customizes a {}, which Resilient Session replaces: it has no effect. Declare a "
							+ "SessionRepositoryCustomizer<ResilientSessionRepository> instead.",
					name, repositoryType.getSimpleName());
		}
	}

}

package io.github.resilientsession.testsupport;

import java.util.List;

import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.BeforeEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.ParameterContext;
import org.junit.jupiter.api.extension.ParameterResolver;

/**
 * Starts the servers when they are first asked for, and keeps them for the whole run.
 */
final class RealServersExtension implements ParameterResolver, BeforeEachCallback, AfterEachCallback {

	private static final ExtensionContext.Namespace STORE = ExtensionContext.Namespace.create(RealServers.class);

	@Override
	public boolean supportsParameter(ParameterContext parameter, ExtensionContext context) {
		Class<?> type = parameter.getParameter().getType();
		return type == RedisServer.class || type == PostgresServer.class;
	}

	@Override
	public Object resolveParameter(ParameterContext parameter, ExtensionContext context) {
		ExtensionContext.Store store = context.getRoot().getStore(STORE);
		if (parameter.getParameter().getType() == RedisServer.class) {
			return store.computeIfAbsent(RedisServer.class, (type) -> RedisServer.start(), RedisServer.class);
		}
		return store.computeIfAbsent(PostgresServer.class, (type) -> PostgresServer.start(), PostgresServer.class);
	}

	@Override
	public void beforeEach(ExtensionContext context) {
		RedisServer redis = context.getRoot().getStore(STORE).get(RedisServer.class, RedisServer.class);
		if (redis != null) {
			// Also undoes what a test has configured.
			if (redis.isAsStarted()) {
				redis.flushAll();
			}
			else {
				redis.restartEmpty();
			}
		}
	}

	@Override
	public void afterEach(ExtensionContext context) {
		PostgresServer postgres = context.getRoot().getStore(STORE).get(PostgresServer.class, PostgresServer.class);
		if (postgres != null) {
			mend(postgres);
		}
		RedisServer redis = context.getRoot().getStore(STORE).get(RedisServer.class, RedisServer.class);
		if (redis != null && redis.isRunning()) {
			redis.resume();
			assertEveryKeyHasTtl(redis, context.getRequiredTestClass().getAnnotation(RealServers.class).namespace());
		}
	}

	/**
	 * Not only before the next test, whose constructor may ask for a database. Each test
	 * has a database of its own, so only the server has to be mended.
	 */
	private static void mend(PostgresServer postgres) {
		if (postgres.isRunning()) {
			postgres.resume();
		}
		else {
			postgres.restart();
		}
	}

	/**
	 * Fail if any key could live forever.
	 * @param redis where to look
	 * @param namespace the prefix of the keys
	 */
	static void assertEveryKeyHasTtl(RedisServer redis, String namespace) {
		List<String> immortal = redis.keysWithoutTtl(namespace);
		if (!immortal.isEmpty()) {
			throw new AssertionError("Keys without a TTL: " + immortal);
		}
	}

}

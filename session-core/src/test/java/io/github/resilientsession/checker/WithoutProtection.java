package io.github.resilientsession.checker;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.UnaryOperator;

import javax.sql.DataSource;

import io.github.resilientsession.SessionNode;
import io.github.resilientsession.redis.ScriptCalls;
import io.lettuce.core.ScriptOutputType;

import org.springframework.data.redis.serializer.RedisSerializer;
import org.springframework.jdbc.datasource.DelegatingDataSource;

/**
 * Makes nodes that lack one protection. The product has no switch for that: what goes
 * between it and its stores is changed, and counted, since a change that finds nothing to
 * change would show nothing.
 */
final class WithoutProtection implements UnaryOperator<SessionNode.Options> {

	/**
	 * What a tombstone has for its times, and no copy.
	 */
	private static final byte[] TOMBSTONE_TIME = RedisSerializer.java().serialize(1L << 32);

	private final Map<String, AtomicLong> changes = new ConcurrentHashMap<>();

	private final UnaryOperator<SessionNode.Options> variant;

	/**
	 * Make nodes that send other statements to the database.
	 * @param often what takes the place of each text
	 * @param rarely likewise, of statements that a short run may do without
	 */
	private WithoutProtection(Map<String, String> often, Map<String, String> rarely) {
		often.keySet().forEach((text) -> this.changes.put(text, new AtomicLong()));
		Map<String, String> instead = new HashMap<>(often);
		instead.putAll(rarely);
		this.variant = (options) -> options.dataSource((pool) -> new RewritingDataSource(pool, (sql) -> {
			String rewritten = sql;
			for (Map.Entry<String, String> each : instead.entrySet()) {
				if (rewritten.contains(each.getKey())) {
					rewritten = rewritten.replace(each.getKey(), each.getValue());
					changed(each.getKey());
				}
			}
			return rewritten;
		}));
	}

	/**
	 * Make nodes that send something else to Redis. Only changed scripts are counted:
	 * {@code INFO} is asked for all the time.
	 */
	private WithoutProtection(RewritingConnections.Rewriting redis) {
		this.changes.put("scripts", new AtomicLong());
		this.variant = (options) -> options
			.redisConnections((connections) -> new RewritingConnections(connections, (commands, method, arguments) -> {
				Object answer = redis.instead(commands, method, arguments);
				if (answer != null && method.getName().startsWith("eval")) {
					changed("scripts");
				}
				return answer;
			}));
	}

	private void changed(String what) {
		AtomicLong count = this.changes.get(what);
		if (count != null) {
			count.incrementAndGet();
		}
	}

	/**
	 * An update does not care for the version that it was made on. What takes marks back
	 * still does: it names the version first.
	 */
	static WithoutProtection versionCheck() {
		return new WithoutProtection(Map.of("and version = wanted.expected", "and (version = wanted.expected or true)"),
				Map.of("and version = ?", "and (version = ? or true)"));
	}

	/**
	 * Nobody notes that Redis missed a write.
	 */
	static WithoutProtection pendingMark() {
		String parameters = "?, ".repeat(9);
		return new WithoutProtection(
				Map.of("redis_pending or w.pending", "redis_pending or (w.pending and false)", "0, w.pending, ",
						"0, (w.pending and false), ", "redis_pending=true where", "redis_pending=false where"),
				Map.of("redis_pending or ?", "redis_pending or (? and false)", parameters + "?, ",
						parameters + "(? and false), "));
	}

	/**
	 * What has ended is deleted from Redis where a tombstone would be put, and nothing is
	 * put in its place.
	 */
	static WithoutProtection tombstone() {
		byte[] deleteInstead = ScriptCalls.deleteInstead();
		return new WithoutProtection((commands, method, arguments) -> {
			boolean tombstone = method.getName().startsWith("eval") && ScriptCalls.isPut(arguments[0])
					&& Arrays.stream((byte[][]) arguments[3]).anyMatch((value) -> Arrays.equals(value, TOMBSTONE_TIME));
			return tombstone ? commands.eval(deleteInstead, ScriptOutputType.MULTI, (byte[][]) arguments[2],
					(byte[][]) arguments[3]) : null;
		});
	}

	/**
	 * The heartbeat never misses a beat, whatever Redis has become, and it never looks
	 * like another.
	 */
	static WithoutProtection suspicion() {
		return new WithoutProtection((commands, method, arguments) -> {
			if (method.getName().equals("info")) {
				return commands.eval("return {ok='run_id:same'}", ScriptOutputType.STATUS);
			}
			if (!method.getName().startsWith("eval") || !ScriptCalls.isBeat(arguments[0])) {
				return null;
			}
			return commands.eval(
					"local beat = redis.call('HINCRBY', KEYS[1], 'beat', 1) "
							+ "redis.call('PEXPIRE', KEYS[1], 600000) "
							+ "return {'done', beat, redis.call('HGET', KEYS[1], 'unpersisted') or ''}",
					ScriptOutputType.MULTI, (byte[][]) arguments[2]);
		});
	}

	/**
	 * A copy does not say that only it has a write.
	 */
	static WithoutProtection unpersistedMark() {
		return new WithoutProtection((commands, method, arguments) -> {
			if (!method.getName().startsWith("eval")) {
				return null;
			}
			byte[][] values = ((byte[][]) arguments[3]).clone();
			boolean marked = ScriptCalls.isApply(arguments[0]) && values[3].length > 0;
			if (marked) {
				values[3] = new byte[0];
			}
			for (int i = 0; i < values.length; i++) {
				if ("unpersisted".equals(text(values[i]))) {
					values[i] = "unnoticed".getBytes(StandardCharsets.UTF_8);
					marked = true;
				}
			}
			return marked ? method.invoke(commands, arguments[0], arguments[1], arguments[2], values) : null;
		});
	}

	private static String text(byte[] bytes) {
		return new String(bytes, StandardCharsets.UTF_8);
	}

	/**
	 * How often each text was changed that the variant is about, of the one that was
	 * changed least.
	 */
	long changes() {
		return this.changes.values().stream().mapToLong(AtomicLong::get).min().orElse(0);
	}

	@Override
	public SessionNode.Options apply(SessionNode.Options options) {
		return this.variant.apply(options);
	}

	/**
	 * A data source that prepares other statements than it is asked for.
	 */
	private static final class RewritingDataSource extends DelegatingDataSource {

		private final UnaryOperator<String> rewriting;

		RewritingDataSource(DataSource pool, UnaryOperator<String> rewriting) {
			super(pool);
			this.rewriting = rewriting;
		}

		@Override
		public Connection getConnection() throws SQLException {
			Connection connection = super.getConnection();
			return (Connection) Proxy.newProxyInstance(getClass().getClassLoader(), new Class<?>[] { Connection.class },
					(proxy, method, arguments) -> {
						if (method.getName().equals("prepareStatement")) {
							arguments[0] = this.rewriting.apply((String) arguments[0]);
						}
						try {
							return method.invoke(connection, arguments);
						}
						catch (InvocationTargetException ex) {
							throw ex.getCause();
						}
					});
		}

	}

}

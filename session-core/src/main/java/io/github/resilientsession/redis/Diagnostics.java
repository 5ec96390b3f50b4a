package io.github.resilientsession.redis;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Future;
import java.util.function.Supplier;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import io.lettuce.core.RedisCommandExecutionException;
import io.lettuce.core.cluster.api.async.RedisClusterAsyncCommands;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What can be learnt of the Redis server without changing anything in it. What the server
 * does not let this user ask, as managed services do, is empty. Safe for use by many
 * threads; for background threads only.
 */
public final class Diagnostics {

	private static final Set<String> SCRIPT_COMMANDS = Set.of("EVAL", "EVALSHA", "EVAL_RO", "EVALSHA_RO", "FCALL",
			"FCALL_RO");

	/**
	 * What errors contain that are no answer to the question.
	 */
	private static final List<String> NOT_NOW = List.of("LOADING", "BUSY", "MASTERDOWN", "CLUSTERDOWN", "NOAUTH",
			"TRYAGAIN");

	private static final int SLOW_COMMANDS = 32;

	/**
	 * After how long to ask again what was refused. The server notes each refusal.
	 */
	private static final Duration REFUSED_FOR = Duration.ofMinutes(10);

	private static final Logger logger = LoggerFactory.getLogger(Diagnostics.class);

	private final RedisLink link;

	private final String namespace;

	private final String sessionPrefix;

	/**
	 * The commands that are not for this user.
	 */
	private final Cache<String, Boolean> refused = Caffeine.newBuilder().expireAfterWrite(REFUSED_FOR).build();

	Diagnostics(RedisLink link, RedisSettings settings) {
		this.link = link;
		this.namespace = settings.namespace() + ":";
		this.sessionPrefix = settings.keyPrefix();
	}

	/**
	 * What Redis says of itself.
	 * @return the default sections of {@code INFO}, or {@link ServerInfo#NONE} if this
	 * user may not ask for them
	 * @throws RedisTierException if Redis does not answer
	 */
	public ServerInfo info() {
		return ifAllowed("INFO", () -> ServerInfo.parse(this.link.await(this.link.commands().info())))
			.orElse(ServerInfo.NONE);
	}

	/**
	 * A section of what Redis says of itself.
	 * @return empty if this user may not ask for it
	 * @throws RedisTierException if Redis does not answer
	 */
	Optional<ServerInfo> info(String section) {
		try {
			return Optional.of(ServerInfo.parse(this.link.await(this.link.commands().info(section))));
		}
		catch (RedisTierException ex) {
			// Any other failure says that this Redis cannot be believed yet.
			if (!isForbidden(ex)) {
				throw ex;
			}
			return Optional.empty();
		}
	}

	/**
	 * A setting of the server.
	 * @param name its name in {@code redis.conf}
	 * @return its value; empty if there is none or this user may not ask for it
	 * @throws RedisTierException if Redis does not answer
	 */
	public Optional<String> setting(String name) {
		return ifAllowed("CONFIG", () -> this.link.await(this.link.commands().configGet(name)).get(name));
	}

	/**
	 * Look at keys picked at random, with two round trips.
	 * @param size how many keys to pick; fewer are different where there are few
	 * @return what they are; empty if this user may not ask
	 * @throws RedisTierException if Redis does not answer
	 */
	public Optional<KeySample> sample(int size) {
		return ifAllowed("RANDOMKEY", () -> {
			RedisClusterAsyncCommands<byte[], byte[]> commands = this.link.commands();
			List<Future<byte[]>> picked = new ArrayList<>(size);
			for (int i = 0; i < size; i++) {
				picked.add(commands.randomkey());
			}
			Map<String, byte[]> keys = new LinkedHashMap<>();
			for (Future<byte[]> each : picked) {
				byte[] key = this.link.await(each);
				if (key != null) {
					keys.put(new String(key, StandardCharsets.UTF_8), key);
				}
			}
			List<Future<Long>> lives = keys.entrySet()
				.stream()
				.filter((key) -> key.getKey().startsWith(this.sessionPrefix))
				.<Future<Long>>map((key) -> commands.pttl(key.getValue()))
				.toList();
			int immortal = (int) lives.stream().filter((life) -> this.link.await(life) == -1).count();
			int foreign = (int) keys.keySet().stream().filter((key) -> !key.startsWith(this.namespace)).count();
			return new KeySample(keys.size(), foreign, immortal);
		});
	}

	/**
	 * The scripts among the commands that Redis has last noted as slow.
	 * @return the scripts, the last one first; empty if this user may not ask
	 * @throws RedisTierException if Redis does not answer
	 */
	public Optional<List<SlowScript>> slowScripts() {
		return ifAllowed("SLOWLOG",
				() -> this.link.await(this.link.commands().slowlogGet(SLOW_COMMANDS))
					.stream()
					.map(Diagnostics::slowScript)
					.flatMap(Optional::stream)
					.toList());
	}

	/**
	 * An entry is its number, the time, the microseconds, and the command with its
	 * arguments, perhaps cut short.
	 */
	private static Optional<SlowScript> slowScript(Object entry) {
		if (!(entry instanceof List<?> parts) || parts.size() < 4 || !(parts.get(1) instanceof Long at)
				|| !(parts.get(2) instanceof Long micros) || !(parts.get(3) instanceof List<?> command)
				|| command.isEmpty()) {
			return Optional.empty();
		}
		if (!SCRIPT_COMMANDS.contains(text(command.get(0)).toUpperCase(Locale.ROOT))) {
			return Optional.empty();
		}
		String script = (command.size() > 1) ? text(command.get(1)) : "";
		boolean ours = Arrays.stream(Script.values())
			.anyMatch((each) -> each.sha().equals(script)
					|| (script.length() > 100 && each.text().startsWith(script.substring(0, 100))));
		return Optional.of(new SlowScript(at, Duration.ofNanos(micros * 1_000), ours));
	}

	private static String text(@Nullable Object value) {
		return (value instanceof byte[] bytes) ? new String(bytes, StandardCharsets.UTF_8) : String.valueOf(value);
	}

	private <T> Optional<T> ifAllowed(String command, Supplier<@Nullable T> question) {
		if (this.refused.getIfPresent(command) != null) {
			return Optional.empty();
		}
		try {
			return Optional.ofNullable(question.get());
		}
		catch (RedisTierException ex) {
			if (!isRefused(ex)) {
				throw ex;
			}
			logger.debug("Redis does not answer {}", command, ex);
		}
		catch (RuntimeException ex) {
			logger.debug("Redis answers {} in a way that is not understood", command, ex);
		}
		this.refused.put(command, true);
		return Optional.empty();
	}

	/**
	 * Whether the server knows no such question, or does not let this user ask it: it
	 * gives an error, and not one that says that it is busy or that nothing can be asked
	 * now.
	 */
	private static boolean isRefused(RedisTierException failure) {
		String message = String.valueOf(failure.getMessage());
		return failure.getCause() instanceof RedisCommandExecutionException
				&& NOT_NOW.stream().noneMatch(message::contains);
	}

	private static boolean isForbidden(RedisTierException failure) {
		String message = String.valueOf(failure.getMessage());
		return message.contains("NOPERM") || message.contains("ERR unknown command");
	}

}

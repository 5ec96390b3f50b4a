package io.github.resilientsession.redis;

import java.nio.charset.StandardCharsets;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import io.github.resilientsession.codec.AttributeCodec;
import io.github.resilientsession.record.Lookup;
import io.github.resilientsession.record.SessionChange;
import io.github.resilientsession.record.SessionHash;
import io.github.resilientsession.record.SessionRecord;
import io.github.resilientsession.record.SessionStoreListener;
import io.github.resilientsession.record.TtlPolicy;
import io.github.resilientsession.redis.CopyOutcome.Status;
import io.lettuce.core.RedisNoScriptException;
import io.lettuce.core.ScriptOutputType;
import io.lettuce.core.cluster.api.async.RedisClusterAsyncCommands;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

import org.springframework.data.redis.connection.lettuce.LettuceConnectionFactory;

/**
 * The door to the Redis tier. Every write is one script that sets the TTL together with
 * the data, and does nothing once its deadline has passed. Every method returns or throws
 * {@link RedisTierException} within the time limit, except {@link #probe()}, which may
 * also have to connect. Safe for use by many threads.
 */
public final class RedisTier implements AutoCloseable {

	/**
	 * How long a tombstone stays: longer than any rebuild that is in flight.
	 */
	private static final Duration TOMBSTONE_TTL = Duration.ofMinutes(5);

	private static final int MAX_CONVERGE_ATTEMPTS = 5;

	private static final Logger logger = LoggerFactory.getLogger(RedisTier.class);

	private final RedisLink link;

	private final CopyFormat format;

	private final RedisSettings settings;

	private final Clock clock;

	private final SessionStoreListener listener;

	private final Cache<String, Boolean> reported = Caffeine.newBuilder()
		.maximumSize(1_000)
		.expireAfterWrite(Duration.ofHours(1))
		.build();

	/**
	 * How far Redis's clock is ahead of ours, in milliseconds, as the last probe saw it.
	 */
	private volatile long clockOffset;

	/**
	 * Create a tier that is not connected yet: {@link #probe()} connects.
	 * @param connections a factory of its own for this tier (see
	 * {@link RedisConnections}), started and destroyed by the tier
	 * @param codec writes attributes and the fields of the copy
	 * @param ttlPolicy for copies of plain Spring Session that never expire
	 * @param settings key namespace and time limit
	 * @param clock the time
	 * @param listener is told of copies that cannot be read
	 */
	public RedisTier(LettuceConnectionFactory connections, AttributeCodec codec, TtlPolicy ttlPolicy,
			RedisSettings settings, Clock clock, SessionStoreListener listener) {
		this.link = new RedisLink(connections, settings.timeLimit());
		this.format = new CopyFormat(codec, ttlPolicy);
		this.settings = settings;
		this.clock = clock;
		this.listener = listener;
	}

	/**
	 * Read a copy.
	 * @param id the session's id
	 * @return a hit, a miss (also for a copy that cannot be read, which is discarded) or
	 * ended; never unavailable
	 */
	public Lookup find(String id) {
		try {
			Map<byte[], byte[]> fields = this.link.await(this.link.commands().hgetall(key(id)));
			return fields.isEmpty() ? new Lookup.Miss() : this.format.read(id, fields);
		}
		catch (CopyFormat.UnreadableCopyException ex) {
			return discardUnreadable(id, ex.version(), String.valueOf(ex.getMessage()));
		}
		catch (RedisTierException ex) {
			if (ex.kind() == RedisTierException.Kind.WRONG_TYPE) {
				return discardUnreadable(id, new byte[0], "the key holds another type");
			}
			throw ex;
		}
	}

	private Lookup discardUnreadable(String id, byte[] version, String reason) {
		if (this.reported.asMap().putIfAbsent(id, Boolean.TRUE) == null) {
			this.listener.onQuarantined();
			logger.warn(
					"The Redis copy of session {} is not one ({}); it is discarded and rebuilt from the durable "
							+ "store. Find out what else writes to the keys {}*.",
					SessionHash.of(id), reason, this.settings.keyPrefix());
		}
		run(Script.DISCARD, id, deadline(), List.of(version));
		return new Lookup.Miss();
	}

	/**
	 * Move the last access of a copy forward.
	 * @param session the session with its new last access
	 * @return what the script found; {@code DONE} also if another access came later
	 */
	public CopyOutcome touch(SessionRecord session) {
		return run(Script.TOUCH, session.id(), deadline(), List.of(this.format.versionBytes(session.version()),
				ttl(session), this.format.encode(session.lastAccessedTime().toEpochMilli())));
	}

	/**
	 * Apply a change to the copy of the version before.
	 * @param next the session after the change
	 * @param change the change
	 * @return what the script found
	 */
	public CopyOutcome apply(SessionRecord next, SessionChange change) {
		List<byte[]> fields = this.format.fieldsOfChange(change.attributes(), change.maxInactiveInterval(),
				next.version());
		List<byte[]> args = new ArrayList<>(5 + fields.size() + change.removedAttributes().size());
		args.add(this.format.versionBytes(next.version() - 1));
		args.add(ttl(next));
		args.add(this.format.encode(next.lastAccessedTime().toEpochMilli()));
		args.add(ascii((change.maxInactiveInterval() != null) ? 1 : 0));
		// ARGV[1] is the deadline and Lua counts from 1.
		args.add(ascii(args.size() + 2 + fields.size()));
		args.addAll(fields);
		change.removedAttributes().forEach((name) -> args.add(this.format.attributeField(name)));
		return run(Script.APPLY, next.id(), deadline(), args);
	}

	/**
	 * Put a copy where there is none.
	 * @param session the session
	 * @return what the script found
	 */
	public CopyOutcome putIfAbsent(SessionRecord session) {
		return run(Script.PUT, session.id(), deadline(), putArguments("absent", new byte[0], session));
	}

	/**
	 * Put a copy where there is none, without waiting for the answer.
	 * @param session the session
	 * @param readAt when the session was read; the rebuild does nothing if it comes much
	 * later than that, since the session may have changed
	 * @return completes with what the script found, or exceptionally with
	 * {@link RedisTierException}
	 */
	public CompletionStage<CopyOutcome> rebuild(SessionRecord session, Instant readAt) {
		byte[] deadline = deadline(readAt);
		List<byte[]> arguments = putArguments("absent", new byte[0], session);
		return start(Script.PUT, session.id(), deadline, arguments).thenApply(this::outcome);
	}

	/**
	 * Put a copy where there is one of a certain version.
	 * @param session the session
	 * @param expectedVersion the version to replace
	 * @return what the script found
	 */
	public CopyOutcome replace(SessionRecord session, long expectedVersion) {
		return run(Script.PUT, session.id(), deadline(),
				putArguments("version", this.format.versionBytes(expectedVersion), session));
	}

	/**
	 * Make Redis agree with a state of the session: absent becomes this state, an older
	 * copy is replaced, and a newer copy or a tombstone stays.
	 * @param session the state that the durable store has
	 * @throws RedisTierException also if other writers kept changing the copy
	 */
	public void converge(SessionRecord session) {
		for (int attempt = 0; attempt < MAX_CONVERGE_ATTEMPTS; attempt++) {
			CopyOutcome found = putIfAbsent(session);
			if (found.status() == Status.OTHER && found.currentVersion() < session.version()) {
				found = replace(session, found.currentVersion());
				if (found.status() == Status.OTHER) {
					// Changed in between, or not readable: then reading discards it.
					find(session.id());
				}
			}
			else if (found.status() != Status.ABSENT) {
				return;
			}
			if (found.status() == Status.DONE || found.status() == Status.ENDED) {
				return;
			}
		}
		throw new RedisTierException(RedisTierException.Kind.UNAVAILABLE,
				"The copy of session " + SessionHash.of(session.id()) + " kept changing", null);
	}

	/**
	 * Put a tombstone in place of whatever is there.
	 * @param id the session's id
	 * @param endedVersion the version with which it ended
	 */
	public void end(String id, long endedVersion) {
		List<byte[]> args = new ArrayList<>();
		args.add(utf8("always"));
		args.add(new byte[0]);
		args.add(ascii(TOMBSTONE_TTL.toMillis()));
		args.addAll(this.format.tombstone(endedVersion));
		run(Script.PUT, id, deadline(), args);
	}

	/**
	 * Remove the copy of a session, but not a tombstone; works also while Redis is out of
	 * memory.
	 * @param id the session's id
	 */
	public void discardCopy(String id) {
		if (find(id) instanceof Lookup.Hit hit) {
			run(Script.DISCARD, id, deadline(), List.of(this.format.versionBytes(hit.session().version())));
		}
	}

	/**
	 * Find out whether Redis answers and takes writes, and what time it has; connects
	 * first if that has not been done. For a background thread.
	 */
	public void probe() {
		this.link.connect();
		RedisClusterAsyncCommands<byte[], byte[]> commands = this.link.commands();
		// A write to a key that does not exist: refused by a read-only replica, though
		// not by a Redis that is out of memory.
		byte[] nobody = utf8(this.settings.keyPrefix() + "probe");
		this.link.await(commands.pexpire(nobody, 1));
		long before = this.clock.millis();
		List<byte[]> time = this.link.await(commands.time());
		long redisMillis = number(time.get(0)) * 1_000 + number(time.get(1)) / 1_000;
		this.clockOffset = redisMillis - (before + this.clock.millis()) / 2;
	}

	@Override
	public void close() {
		this.link.close();
	}

	private List<byte[]> putArguments(String condition, byte[] expected, SessionRecord session) {
		List<byte[]> fields = this.format.fieldsOf(session);
		List<byte[]> args = new ArrayList<>(3 + fields.size());
		args.add(utf8(condition));
		args.add(expected);
		args.add(ttl(session));
		args.addAll(fields);
		return args;
	}

	private CopyOutcome run(Script script, String id, byte[] deadline, List<byte[]> args) {
		try {
			return outcome(this.link.await(start(script, id, deadline, args).toCompletableFuture()));
		}
		catch (RedisTierException ex) {
			if (ex.kind() == RedisTierException.Kind.WRONG_TYPE) {
				return new CopyOutcome(Status.OTHER, SessionRecord.UNVERSIONED);
			}
			throw ex;
		}
	}

	private CompletionStage<List<Object>> start(Script script, String id, byte[] deadline, List<byte[]> args) {
		byte[][] keys = { key(id) };
		byte[][] values = new byte[args.size() + 1][];
		values[0] = deadline;
		for (int i = 0; i < args.size(); i++) {
			values[i + 1] = args.get(i);
		}
		RedisClusterAsyncCommands<byte[], byte[]> commands = this.link.commands();
		return commands.<List<Object>>evalsha(script.sha(), ScriptOutputType.MULTI, keys, values)
			.exceptionallyCompose((ex) -> {
				Throwable cause = (ex instanceof CompletionException && ex.getCause() != null) ? ex.getCause() : ex;
				if (cause instanceof RedisNoScriptException) {
					return commands.<List<Object>>eval(script.source(), ScriptOutputType.MULTI, keys, values);
				}
				return CompletableFuture.failedStage(cause);
			});
	}

	private CopyOutcome outcome(List<Object> answer) {
		String status = new String((byte[]) answer.get(0), StandardCharsets.UTF_8);
		return switch (status) {
			case "done" -> new CopyOutcome(Status.DONE, 0);
			case "absent" -> new CopyOutcome(Status.ABSENT, 0);
			case "other" -> {
				long version = versionOrUnversioned((byte[]) answer.get(1));
				yield new CopyOutcome((version < 0) ? Status.ENDED : Status.OTHER, version);
			}
			default -> throw new RedisTierException(RedisTierException.Kind.UNAVAILABLE,
					"Redis ran the script only after its deadline", null);
		};
	}

	private long versionOrUnversioned(byte[] bytes) {
		try {
			return this.format.version(bytes);
		}
		catch (RuntimeException ex) {
			return SessionRecord.UNVERSIONED;
		}
	}

	/**
	 * The deadline by Redis's clock: a little more than the time for which anybody waits.
	 */
	private byte[] deadline() {
		return deadline(this.clock.instant());
	}

	private byte[] deadline(Instant from) {
		return ascii(from.toEpochMilli() + this.clockOffset + 2 * this.settings.timeLimit().toMillis());
	}

	private byte[] ttl(SessionRecord session) {
		long remaining = Duration.between(this.clock.instant(), session.expiresAt()).toMillis();
		return ascii(Math.min(Math.max(remaining, 1_000), session.maxInactiveInterval().toMillis()));
	}

	private byte[] key(String id) {
		return utf8(this.settings.keyPrefix() + id);
	}

	private static long number(byte[] digits) {
		return Long.parseLong(new String(digits, StandardCharsets.US_ASCII));
	}

	private static byte[] ascii(long number) {
		return Long.toString(number).getBytes(StandardCharsets.US_ASCII);
	}

	private static byte[] utf8(String text) {
		return text.getBytes(StandardCharsets.UTF_8);
	}

}

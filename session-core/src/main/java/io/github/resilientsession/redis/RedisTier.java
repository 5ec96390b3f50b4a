package io.github.resilientsession.redis;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Future;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.function.ToLongFunction;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import io.github.resilientsession.codec.AttributeCodec;
import io.github.resilientsession.record.ClusterClock;
import io.github.resilientsession.record.Lookup;
import io.github.resilientsession.record.SessionChange;
import io.github.resilientsession.record.SessionHash;
import io.github.resilientsession.record.SessionRecord;
import io.github.resilientsession.record.SessionStoreListener;
import io.github.resilientsession.record.TtlPolicy;
import io.github.resilientsession.redis.CopyOutcome.Status;
import io.lettuce.core.KeyScanCursor;
import io.lettuce.core.KeyValue;
import io.lettuce.core.ScanArgs;
import io.lettuce.core.ScanCursor;
import io.lettuce.core.cluster.api.async.RedisClusterAsyncCommands;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

import org.springframework.data.redis.connection.lettuce.LettuceConnectionFactory;

/**
 * The door to the Redis tier. Every write is one script that sets the TTL together with
 * the data and does nothing once its deadline has passed; one that changes or replaces a
 * living copy names the copy that it expects, one that ends a session does not. Every
 * method returns or throws {@link RedisTierException} within the time limit, a few of
 * them within a small multiple of it where they say so, except {@link #probe()}, which
 * may also have to connect. Safe for use by many threads.
 */
public final class RedisTier implements AutoCloseable {

	/**
	 * How long a tombstone stays at least: longer than any rebuild that is in flight.
	 */
	public static final Duration TOMBSTONE_TTL = Duration.ofMinutes(5);

	private static final int MAX_TOUCH_ATTEMPTS = 5;

	/**
	 * Where the arguments of a put have the expected version.
	 */
	private static final int VERSION = 1;

	/**
	 * Where the arguments of a put have the expected last access.
	 */
	private static final int ACCESS = 4;

	private static final int PORTION_BYTES = 128 * 1024;

	/**
	 * The part of its memory above which Redis is taken to be about to refuse writes, or
	 * to evict.
	 */
	private static final double ALMOST_FULL = 0.9;

	/**
	 * After so many a new connection is tried.
	 */
	private static final int MAX_FAILED_PROBES = 20;

	private static final Logger logger = LoggerFactory.getLogger(RedisTier.class);

	private final RedisLink link;

	private final CopyFormat format;

	private final RedisSettings settings;

	private final ScriptRunner scripts;

	private final Diagnostics diagnostics;

	private final Heartbeat heartbeat;

	private final CopyTrust trust = new CopyTrust();

	private final ClusterClock clock;

	private final SessionStoreListener listener;

	private final Cache<String, Boolean> reported = Caffeine.newBuilder()
		.maximumSize(1_000)
		.expireAfterWrite(Duration.ofHours(1))
		.build();

	private volatile boolean keepsCopies;

	private int failedProbes;

	/**
	 * Create a tier that is not connected yet: {@link #probe()} connects.
	 * @param connections a factory of its own for this tier (see
	 * {@link RedisConnections}), started by the tier, and destroyed together with its
	 * client resources
	 * @param codec writes attributes and the fields of the copy
	 * @param ttlPolicy for copies of plain Spring Session that never expire
	 * @param settings key namespace and time limit
	 * @param clock the time
	 * @param listener is told of copies that cannot be read
	 */
	public RedisTier(LettuceConnectionFactory connections, AttributeCodec codec, TtlPolicy ttlPolicy,
			RedisSettings settings, ClusterClock clock, SessionStoreListener listener) {
		this.link = new RedisLink(connections, settings.timeLimit(), this.trust::lost);
		this.format = new CopyFormat(codec, ttlPolicy);
		this.settings = settings;
		this.scripts = new ScriptRunner(this.link, settings.timeLimit(), clock.node());
		this.diagnostics = new Diagnostics(this.link, settings);
		this.heartbeat = new Heartbeat(this.link, this.scripts, this.diagnostics, settings, this.trust);
		this.clock = clock;
		this.listener = listener;
	}

	/**
	 * Whether what {@link #find(String)} answers can be believed.
	 * @return the same object at each call
	 */
	public CopyTrust trust() {
		return this.trust;
	}

	/**
	 * What one node tells all about Redis as a whole.
	 * @return the same object at each call
	 */
	public Heartbeat heartbeat() {
		return this.heartbeat;
	}

	/**
	 * What can be learnt of the server.
	 * @return the same object at each call
	 */
	public Diagnostics diagnostics() {
		return this.diagnostics;
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
			return discardUnreadable(id, ex.version(), ex.mark(), String.valueOf(ex.getMessage()));
		}
		catch (RedisTierException ex) {
			if (ex.kind() == RedisTierException.Kind.WRONG_TYPE) {
				return discardUnreadable(id, new byte[0], new byte[0], "the key holds another type");
			}
			throw ex;
		}
	}

	private Lookup discardUnreadable(String id, byte[] version, byte[] mark, String reason) {
		if (this.reported.asMap().putIfAbsent(id, Boolean.TRUE) == null) {
			this.listener.onQuarantined();
			logger.warn(
					"The Redis copy of session {} is not one ({}); it is discarded and rebuilt from the durable "
							+ "store. Find out what else writes to the keys {}*.",
					SessionHash.of(id), reason, this.settings.keyPrefix());
		}
		run(Script.DISCARD, id, List.of(version, mark));
		return new Lookup.Miss();
	}

	/**
	 * Move the last access of a copy forward, never backwards. Another access at the same
	 * time may cost it another round trip.
	 * @param base the copy that is expected
	 * @param access the last access
	 * @return what the script found; {@code DONE} also if another access came later
	 */
	public CopyOutcome touch(SessionRecord base, Instant access) {
		SessionRecord next = base.accessedAt(access);
		byte[] expected = this.format.time(base.lastAccessedTime());
		for (int attempt = 1; true; attempt++) {
			List<Object> answer = call(Script.TOUCH, base.id(),
					List.of(this.format.versionBytes(base.version()), this.format.mark(base.unpersisted()), ttl(next),
							this.format.time(next.lastAccessedTime()), expected));
			if (!ScriptRunner.status(answer).equals("moved")) {
				return outcome(answer);
			}
			expected = ScriptRunner.bytes(answer, 1);
			if (attempt == MAX_TOUCH_ATTEMPTS || !isBefore(expected, next.lastAccessedTime())) {
				return new CopyOutcome(Status.DONE, base.version(), false);
			}
		}
	}

	private boolean isBefore(byte[] time, Instant other) {
		// Not readable: the next read finds out.
		return readable(time, other).isBefore(other);
	}

	/**
	 * Bring a copy from one state to the next.
	 * @param base the copy that is expected
	 * @param next the state after the change: of the next version, or of the same and
	 * with unpersisted writes
	 * @param change what changed
	 * @return what the script found
	 */
	public CopyOutcome apply(SessionRecord base, SessionRecord next, SessionChange change) {
		return applied(sendApply(base, next, change), next);
	}

	/**
	 * Begin to bring a copy from one state to the next, like {@link #apply}. Never waits.
	 * @param base the copy that is expected
	 * @param next the state after the change
	 * @param change what changed
	 * @return for {@link #applied}
	 */
	public Sent sendApply(SessionRecord base, SessionRecord next, SessionChange change) {
		List<byte[]> args = applyArguments(base, next, change);
		return Sent.of(() -> this.scripts.start(Script.APPLY, key(next.id()), now(), args));
	}

	private List<byte[]> applyArguments(SessionRecord base, SessionRecord next, SessionChange change) {
		boolean persisted = next.version() != base.version();
		// Plain Spring Session may have given it an interval that is not allowed, or
		// none.
		boolean adopted = persisted && base.version() == SessionRecord.UNVERSIONED;
		Duration interval = adopted ? next.maxInactiveInterval() : change.maxInactiveInterval();
		List<byte[]> fields = this.format.fieldsOfChange(change.attributes(), interval,
				persisted ? next.version() : SessionRecord.UNVERSIONED);
		List<byte[]> args = new ArrayList<>(9 + fields.size() + change.removedAttributes().size());
		args.add(this.format.versionBytes(base.version()));
		args.add(this.format.mark(base.unpersisted()));
		args.add(this.format.mark(next.unpersisted()));
		args.add(ttl(next));
		args.add(this.format.time(base.lastAccessedTime()));
		args.add(ScriptRunner.ascii((interval != null) ? 1 : 0));
		// ARGV[1] is the deadline and Lua counts from 1.
		args.add(ScriptRunner.ascii(args.size() + 4 + fields.size()));
		args.add(CopyFormat.LAST_ACCESSED_TIME);
		args.add(this.format.time(next.lastAccessedTime()));
		args.addAll(fields);
		change.removedAttributes().forEach((name) -> args.add(this.format.attributeField(name)));
		return args;
	}

	/**
	 * Wait until a copy has been brought to the next state.
	 * @param sent from {@link #sendApply}
	 * @param next the state after the change
	 * @return what the script found
	 */
	public CopyOutcome applied(Sent sent, SessionRecord next) {
		List<Object> answer = this.link.await(sent.answer().toCompletableFuture());
		if (ScriptRunner.status(answer).equals("moved")) {
			// Another request has touched the copy meanwhile.
			if (isBefore(ScriptRunner.bytes(answer, 1), next.lastAccessedTime())) {
				return touch(next, next.lastAccessedTime());
			}
			return new CopyOutcome(Status.DONE, next.version(), false);
		}
		return outcome(answer);
	}

	/**
	 * Put a copy where there is none.
	 * @param session the session
	 * @return what the script found
	 */
	public CopyOutcome putIfAbsent(SessionRecord session) {
		return put(sendIfAbsent(session));
	}

	/**
	 * Begin to put a copy where there is none. Never waits.
	 * @param session the session
	 * @return for {@link #put}
	 */
	public Sent sendIfAbsent(SessionRecord session) {
		List<byte[]> args = putArguments("absent", null, session);
		return Sent.of(() -> this.scripts.start(Script.PUT, key(session.id()), now(), args));
	}

	/**
	 * Begin to put a tombstone in place of a copy, like
	 * {@link #end(SessionRecord, long)}. Never waits.
	 * @param expected the copy to replace
	 * @param endedVersion the version with which the session ended
	 * @return for {@link #put}
	 */
	public Sent sendEnd(SessionRecord expected, long endedVersion) {
		List<byte[]> args = tombstone("match", expected, endedVersion);
		return Sent.of(() -> this.scripts.start(Script.PUT, key(expected.id()), now(), args));
	}

	/**
	 * Wait until a copy or a tombstone has been put.
	 * @param sent from {@link #sendIfAbsent} or {@link #sendEnd}
	 * @return what the script found
	 */
	public CopyOutcome put(Sent sent) {
		return tolerant(() -> outcome(this.link.await(sent.answer().toCompletableFuture())));
	}

	/**
	 * Put copies where there are none, with about 256 KiB of them on their way, so that
	 * no command of a request waits behind too many. Each of these portions is waited for
	 * up to the time limit.
	 * @param sessions the sessions
	 * @return what the script found, in the same order
	 */
	public List<CopyOutcome> putAllIfAbsent(List<SessionRecord> sessions) {
		return inPortions(sessions, SessionRecord::attributeBytes, this::sendIfAbsent, this::put);
	}

	/**
	 * Put copies where there are none, and in place of older ones that have no
	 * unpersisted writes, with the later last access of the two. In portions like those
	 * of {@link #putAllIfAbsent}, each of which may take three round trips.
	 * @param sessions the sessions
	 * @return the ids of those of which Redis holds nothing older afterwards; the others
	 * may agree or not
	 */
	public Set<String> putAllOverOlder(List<SessionRecord> sessions) {
		Set<String> agreed = new HashSet<>();
		List<Older> left = new ArrayList<>();
		List<CopyOutcome> found = putAllIfAbsent(sessions);
		for (int i = 0; i < found.size(); i++) {
			SessionRecord session = sessions.get(i);
			CopyOutcome copy = found.get(i);
			if (copy.status() != Status.OTHER || copy.currentVersion() >= session.version()) {
				agreed.add(session.id());
			}
			else if (copy.currentVersion() > SessionRecord.UNVERSIONED && !copy.unpersisted()) {
				left.add(new Older(session, copy.currentVersion(), session.lastAccessedTime()));
			}
		}
		// The first answer tells the last access of the copy.
		replaceAll(replaceAll(left, agreed), agreed);
		return agreed;
	}

	/**
	 * Replace copies.
	 * @param replaced the ids of those that have been replaced are added to it
	 * @return those that have been touched meanwhile
	 */
	private List<Older> replaceAll(List<Older> all, Set<String> replaced) {
		List<List<Object>> answers = inPortions(all, (older) -> older.session().attributeBytes(), this::sendReplace,
				(sent) -> this.link.await(sent.answer().toCompletableFuture()));
		List<Older> touched = new ArrayList<>();
		for (int i = 0; i < answers.size(); i++) {
			SessionRecord session = all.get(i).session();
			String status = ScriptRunner.status(answers.get(i));
			if (status.equals("done")) {
				replaced.add(session.id());
			}
			else if (status.equals("moved")) {
				Instant access = readable(ScriptRunner.bytes(answers.get(i), 1), session.lastAccessedTime());
				touched.add(new Older(session.accessedAt(access), all.get(i).version(), access));
			}
		}
		return touched;
	}

	private Sent sendReplace(Older older) {
		List<byte[]> args = putArguments("match", null, older.session());
		args.set(VERSION, this.format.versionBytes(older.version()));
		args.set(ACCESS, this.format.time(older.access()));
		return Sent.of(() -> this.scripts.start(Script.PUT, key(older.session().id()), now(), args));
	}

	private static <T, R> List<R> inPortions(List<T> all, ToLongFunction<T> size, Function<T, Sent> send,
			Function<Sent, R> await) {
		List<R> answers = new ArrayList<>(all.size());
		List<Sent> onTheirWay = List.of();
		int start = 0;
		while (start < all.size()) {
			int end = start;
			for (long bytes = 0; end < all.size() && bytes < PORTION_BYTES; end++) {
				bytes += size.applyAsLong(all.get(end));
			}
			List<Sent> next = all.subList(start, end).stream().map(send).toList();
			onTheirWay.forEach((sent) -> answers.add(await.apply(sent)));
			onTheirWay = next;
			start = end;
		}
		onTheirWay.forEach((sent) -> answers.add(await.apply(sent)));
		return answers;
	}

	/**
	 * Put a copy where there is none, without waiting for the answer.
	 * @param session the session
	 * @return completes with what the script found, or exceptionally with whatever Redis
	 * or the connection failed with. The rebuild does nothing if it comes much later than
	 * now, since the session may have changed
	 */
	public CompletionStage<CopyOutcome> rebuild(SessionRecord session) {
		List<byte[]> arguments = putArguments("absent", null, session);
		return this.scripts.start(Script.PUT, key(session.id()), now(), arguments).thenApply(this::outcome);
	}

	/**
	 * Put a copy in place of another, with the later last access of the two. Another
	 * access at the same time may cost it another round trip.
	 * @param expected the copy to replace
	 * @param session the session
	 * @return what the script found
	 */
	public CopyOutcome replace(SessionRecord expected, SessionRecord session) {
		SessionRecord next = session.accessedAt(expected.lastAccessedTime());
		byte[] access = this.format.time(expected.lastAccessedTime());
		for (int attempt = 1; true; attempt++) {
			List<byte[]> args = putArguments("match", expected, next);
			// The last attempt takes whatever access is there: it only moves by
			// milliseconds.
			args.set(ACCESS, (attempt < MAX_TOUCH_ATTEMPTS) ? access : new byte[0]);
			List<Object> answer = call(Script.PUT, session.id(), args);
			if (!ScriptRunner.status(answer).equals("moved")) {
				return outcome(answer);
			}
			access = ScriptRunner.bytes(answer, 1);
			next = next.accessedAt(readable(access, next.lastAccessedTime()));
		}
	}

	private Instant readable(byte[] time, Instant otherwise) {
		try {
			return this.format.time(time);
		}
		catch (RuntimeException ex) {
			return otherwise;
		}
	}

	/**
	 * Put a tombstone in place of whatever is there.
	 * @param id the session's id
	 * @param endedVersion the version with which it ended
	 */
	public void end(String id, long endedVersion) {
		run(Script.PUT, id, tombstone("always", null, endedVersion));
	}

	/**
	 * Put a tombstone in place of whatever is there, unless that has unpersisted writes.
	 * @param id the session's id
	 * @param endedVersion the version with which it ended
	 * @return what the script found
	 */
	public CopyOutcome endPersisted(String id, long endedVersion) {
		return run(Script.PUT, id, tombstone("persisted", null, endedVersion));
	}

	/**
	 * Put a tombstone in place of a copy.
	 * @param expected the copy to replace
	 * @param endedVersion the version with which the session ended
	 * @return what the script found
	 */
	public CopyOutcome end(SessionRecord expected, long endedVersion) {
		return put(sendEnd(expected, endedVersion));
	}

	/**
	 * Put a tombstone of which the durable store has yet to be told.
	 * @param id the session's id
	 * @param expected the copy to replace, or {@code null} for whatever is there
	 * @param movedTo the id that the session was given instead, or {@code null} if it is
	 * over
	 * @param keep how long it is kept: as long as the row may live
	 * @return what the script found
	 */
	public CopyOutcome endUnpersisted(String id, @Nullable SessionRecord expected, @Nullable String movedTo,
			Duration keep) {
		return endUnpersisted((expected != null) ? "match" : "always", id, expected, movedTo, keep);
	}

	/**
	 * Like {@link #endUnpersisted}, if Redis has nothing of the session.
	 * @param id the session's id
	 * @param movedTo the id that the session was given instead
	 * @param keep how long it is kept: as long as the row may live
	 * @return what the script found
	 */
	public CopyOutcome endUnpersistedIfAbsent(String id, String movedTo, Duration keep) {
		return endUnpersisted("absent", id, null, movedTo, keep);
	}

	private CopyOutcome endUnpersisted(String condition, String id, @Nullable SessionRecord expected,
			@Nullable String movedTo, Duration keep) {
		long version = (expected != null) ? expected.version() + 1 : 1;
		this.listener.onTombstone();
		return run(Script.PUT, id, putArguments(condition, expected, ScriptRunner.ascii(keep.toMillis()),
				this.format.unpersistedTombstone(version, movedTo)));
	}

	/**
	 * Put tombstones in place of whatever is there, with one round trip.
	 * @param endedVersions the versions with which the sessions ended, by id
	 */
	public void endAll(Map<String, Long> endedVersions) {
		endAll("always", endedVersions);
	}

	/**
	 * Like {@link #endPersisted}, for many sessions with one round trip.
	 * @param endedVersions the versions with which the sessions ended, by id
	 * @return the ids of those that have unpersisted writes
	 */
	public List<String> endAllPersisted(Map<String, Long> endedVersions) {
		return endAll("persisted", endedVersions);
	}

	private List<String> endAll(String condition, Map<String, Long> endedVersions) {
		Instant now = now();
		Map<String, CompletionStage<List<Object>>> answers = new LinkedHashMap<>();
		endedVersions.forEach((id, version) -> answers.put(id,
				this.scripts.start(Script.PUT, key(id), now, tombstone(condition, null, version))));
		List<String> left = new ArrayList<>();
		answers.forEach((id, answer) -> {
			if (!ScriptRunner.status(this.link.await(answer.toCompletableFuture())).equals("done")) {
				left.add(id);
			}
		});
		return left;
	}

	/**
	 * Remove a copy, unless another has taken its place; works also while Redis is out of
	 * memory.
	 * @param copy the copy
	 */
	public void discard(SessionRecord copy) {
		discardAll(List.of(copy));
	}

	/**
	 * Like {@link #discard}, for many copies with one round trip.
	 * @param copies the copies
	 */
	public void discardAll(List<SessionRecord> copies) {
		copies.stream().map(this::sendDiscard).toList().forEach(this::put);
	}

	private Sent sendDiscard(SessionRecord copy) {
		List<byte[]> args = List.of(this.format.versionBytes(copy.version()), this.format.mark(copy.unpersisted()));
		return Sent.of(() -> this.scripts.start(Script.DISCARD, key(copy.id()), now(), args));
	}

	/**
	 * What is known of copies by their versions and marks, with one round trip.
	 * @param ids the sessions' ids
	 * @return the states of those that are there and can be read
	 */
	public Map<String, CopyState> states(List<String> ids) {
		RedisClusterAsyncCommands<byte[], byte[]> commands = this.link.commands();
		List<Future<List<KeyValue<byte[], byte[]>>>> fields = new ArrayList<>(ids.size());
		List<Future<Long>> lives = new ArrayList<>(ids.size());
		for (String id : ids) {
			fields.add(commands.hmget(key(id), CopyFormat.VERSION, CopyFormat.UNPERSISTED));
			lives.add(commands.pttl(key(id)));
		}
		Map<String, CopyState> states = new LinkedHashMap<>();
		for (int i = 0; i < ids.size(); i++) {
			long life = this.link.await(lives.get(i));
			try {
				List<KeyValue<byte[], byte[]>> found = this.link.await(fields.get(i));
				if (life > 0) {
					states.put(ids.get(i), new CopyState(this.format.version(found.get(0).getValueOrElse(new byte[0])),
							found.get(1).hasValue(), Duration.ofMillis(life)));
				}
			}
			catch (RuntimeException ex) {
				// A key that is no copy: whoever reads it discards it.
				if (ex instanceof RedisTierException failure && failure.kind() != RedisTierException.Kind.WRONG_TYPE) {
					throw ex;
				}
			}
		}
		return states;
	}

	/**
	 * The copies that Redis holds, page by page. One that is there from the first page to
	 * the last is in one of them.
	 * @param cursor from the page before, or {@link CopyPage#START}
	 * @param limit how many keys to look at
	 * @return the page, which may be empty without being the last
	 */
	public CopyPage scan(String cursor, int limit) {
		String prefix = this.settings.keyPrefix();
		KeyScanCursor<byte[]> page = this.link.await(this.link.commands()
			.scan(ScanCursor.of(cursor), ScanArgs.Builder.matches(pattern(prefix)).limit(limit)));
		List<String> ids = page.getKeys()
			.stream()
			.map((key) -> new String(key, StandardCharsets.UTF_8).substring(prefix.length()))
			.toList();
		return new CopyPage(ids, page.isFinished() ? CopyPage.START : page.getCursor());
	}

	private static String pattern(String prefix) {
		return prefix.replaceAll("([*?\\[\\]\\\\])", "\\\\$1") + "*";
	}

	/**
	 * The keys of sessions that have no TTL, page by page with one round trip each.
	 * @param cursor from the page before, or {@link CopyPage#START}
	 * @param limit how many keys to look at
	 * @return the page, which may be empty without being the last
	 */
	public ImmortalPage immortal(String cursor, int limit) {
		String prefix = this.settings.keyPrefix();
		List<Object> answer = this.scripts.run(Script.IMMORTAL, utf8(prefix),
				List.of(utf8(cursor), utf8(pattern(prefix)), ScriptRunner.ascii(limit)));
		ScriptRunner.status(answer);
		List<String> ids = answer.stream()
			.skip(3)
			.map((key) -> new String((byte[]) key, StandardCharsets.UTF_8).substring(prefix.length()))
			.toList();
		return new ImmortalPage(((Long) answer.get(2)).intValue(), ids,
				new String(ScriptRunner.bytes(answer, 1), StandardCharsets.UTF_8));
	}

	/**
	 * Give a key a TTL that has none: what is left of the session's life, or the longest
	 * that is allowed if the key is no session. It is left as it is otherwise.
	 * @param id the session's id
	 * @return whether it had none
	 */
	public boolean limit(String id) {
		return run(Script.LIMIT, id, List.of(remaining(id))).status() == Status.DONE;
	}

	private byte[] remaining(String id) {
		try {
			Map<byte[], byte[]> fields = this.link.await(this.link.commands().hgetall(key(id)));
			if (!fields.isEmpty() && this.format.read(id, fields) instanceof Lookup.Hit hit) {
				return ttl(hit.session());
			}
		}
		catch (CopyFormat.UnreadableCopyException ex) {
			logger.debug("The key of session {} is no copy", SessionHash.of(id), ex);
		}
		catch (RedisTierException ex) {
			if (ex.kind() != RedisTierException.Kind.WRONG_TYPE) {
				throw ex;
			}
		}
		return ScriptRunner.ascii(this.format.maxLife().toMillis());
	}

	/**
	 * How much memory Redis may still use.
	 * @param headroom the part that has to stay free, from 0 to 1, of {@code maxmemory},
	 * or of the machine's memory where that is not set
	 * @return the bytes, negative if there is less free than that; 0 if Redis does not
	 * say
	 */
	public long memoryLeft(double headroom) {
		ServerInfo info = this.heartbeat.info("memory");
		double maximum = info.number("maxmemory").orElse(0);
		double limit = (maximum > 0) ? maximum : info.number("total_system_memory").orElse(0);
		return (long) (limit * (1 - headroom) - info.number("used_memory").orElse(0));
	}

	/**
	 * Find out whether Redis answers and takes writes, what time it has, and whether it
	 * still has the data that was agreed upon; connects first if that has not been done.
	 * For a background thread.
	 */
	public void probe() {
		try {
			this.link.connect();
			ask();
			this.failedProbes = 0;
		}
		catch (RedisTierException ex) {
			if (++this.failedProbes % MAX_FAILED_PROBES == 0) {
				this.link.disconnect();
			}
			throw ex;
		}
	}

	private void ask() {
		// A write to a key that does not exist: refused by a read-only replica, though
		// not by a Redis that is out of memory.
		this.link.await(this.link.commands().pexpire(utf8(this.settings.keyPrefix() + "probe"), 1));
		// Until the database says what time it is.
		this.clock.suppose(this.scripts.learnTime());
		this.heartbeat.beat();
		ServerInfo info = this.heartbeat.info("memory");
		double maximum = info.number("maxmemory").orElse(0);
		this.keepsCopies = !info.isEmpty()
				&& (maximum == 0 || info.number("used_memory").orElse(0) < ALMOST_FULL * maximum);
	}

	/**
	 * Whether Redis has room, as the last probe found: what is put stays, and what is not
	 * there was not put.
	 * @return {@code false} also if Redis does not say
	 */
	public boolean keepsCopies() {
		return this.keepsCopies;
	}

	/**
	 * How long after it was sent a command may still be executed, also if its sender has
	 * given up.
	 * @return the time, by Redis's clock
	 */
	public Duration lateness() {
		return this.settings.timeLimit().multipliedBy(2);
	}

	@Override
	public void close() {
		this.link.close();
	}

	private List<byte[]> putArguments(String condition, @Nullable SessionRecord expected, SessionRecord session) {
		List<byte[]> fields = this.format.fieldsOf(session);
		return putArguments(condition, expected, ttl(session), fields);
	}

	private List<byte[]> tombstone(String condition, @Nullable SessionRecord expected, long version) {
		this.listener.onTombstone();
		return putArguments(condition, expected, ScriptRunner.ascii(TOMBSTONE_TTL.toMillis()),
				this.format.tombstone(version));
	}

	private List<byte[]> putArguments(String condition, @Nullable SessionRecord expected, byte[] ttl,
			List<byte[]> fields) {
		List<byte[]> args = new ArrayList<>(5 + fields.size());
		args.add(utf8(condition));
		args.add((expected != null) ? this.format.versionBytes(expected.version()) : new byte[0]);
		args.add((expected != null) ? this.format.mark(expected.unpersisted()) : new byte[0]);
		args.add(ttl);
		args.add(new byte[0]);
		args.addAll(fields);
		return args;
	}

	private List<Object> call(Script script, String id, List<byte[]> args) {
		return this.scripts.run(script, key(id), args);
	}

	private CopyOutcome run(Script script, String id, List<byte[]> args) {
		return tolerant(() -> outcome(call(script, id, args)));
	}

	/**
	 * A key of another type is a copy that nobody can use.
	 */
	private static CopyOutcome tolerant(Supplier<CopyOutcome> call) {
		try {
			return call.get();
		}
		catch (RedisTierException ex) {
			if (ex.kind() == RedisTierException.Kind.WRONG_TYPE) {
				return new CopyOutcome(Status.OTHER, SessionRecord.UNVERSIONED, false);
			}
			throw ex;
		}
	}

	private CopyOutcome outcome(List<Object> answer) {
		return switch (ScriptRunner.status(answer)) {
			case "done" -> new CopyOutcome(Status.DONE, 0, false);
			case "absent" -> new CopyOutcome(Status.ABSENT, 0, false);
			case "other" -> {
				long version = versionOrUnversioned(ScriptRunner.bytes(answer, 1));
				yield new CopyOutcome((version < 0) ? Status.ENDED : Status.OTHER, version,
						ScriptRunner.bytes(answer, 2).length > 0);
			}
			default -> throw new IllegalStateException("A script gave an answer that is not known");
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

	private Instant now() {
		return this.scripts.now();
	}

	private byte[] ttl(SessionRecord session) {
		long remaining = Duration.between(this.clock.instant(), session.expiresAt()).toMillis();
		return ScriptRunner.ascii(Math.min(Math.max(remaining, 1_000), session.maxInactiveInterval().toMillis()));
	}

	private byte[] key(String id) {
		return utf8(this.settings.keyPrefix() + id);
	}

	private static byte[] utf8(String text) {
		return text.getBytes(StandardCharsets.UTF_8);
	}

	/**
	 * A copy that is to be replaced.
	 *
	 * @param session the state to put
	 * @param version of the copy that is there
	 * @param access the last access of the copy
	 */
	private record Older(SessionRecord session, long version, Instant access) {

	}

}

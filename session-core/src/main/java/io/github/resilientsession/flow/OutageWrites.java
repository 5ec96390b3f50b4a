package io.github.resilientsession.flow;

import java.time.Duration;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Function;
import java.util.function.Supplier;

import io.github.resilientsession.circuit.TierCircuit;
import io.github.resilientsession.circuit.TierUnavailableException;
import io.github.resilientsession.durable.DurableTier;
import io.github.resilientsession.record.Lookup;
import io.github.resilientsession.record.SessionChange;
import io.github.resilientsession.record.SessionHash;
import io.github.resilientsession.record.SessionRecord;
import io.github.resilientsession.record.SessionStoreListener;
import io.github.resilientsession.redis.CopyOutcome;
import io.github.resilientsession.redis.CopyOutcome.Status;
import io.github.resilientsession.redis.RedisTier;
import io.github.resilientsession.redis.RedisTierException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps writes in Redis while the durable store cannot take them.
 * <p>
 * Invariant: a copy names what only it has, in the same script that writes it; such a
 * copy is replaced or removed only by one who has read that mark. So whoever reaches both
 * stores next can commit just those parts.
 */
final class OutageWrites {

	/**
	 * Sessions that this node remembers to persist. Those of more sessions, or of a node
	 * that did not live to do it, are found by their marks.
	 */
	private static final int CAPACITY = 100_000;

	private static final int MAX_ATTEMPTS = 5;

	/**
	 * More changes of id than a session goes through in an outage, and than others change
	 * a copy.
	 */
	private static final int MAX_MOVES = 100;

	/**
	 * For how long after a failure it is likely that other nodes still write to Redis
	 * alone.
	 */
	private static final Duration RECENT = Duration.ofSeconds(30);

	private static final Logger logger = LoggerFactory.getLogger(OutageWrites.class);

	private final RedisTier redis;

	private final TierCircuit redisCircuit;

	private final OutageSettings settings;

	private final Mode mode;

	private final Function<String, Lookup> rows;

	private final Supplier<String> tokens;

	private final SessionStoreListener listener;

	private volatile long lastFailure = System.nanoTime() - RECENT.toNanos();

	private final Map<String, Kept> backlog = new ConcurrentHashMap<>();

	OutageWrites(RedisTier redis, TierCircuit redisCircuit, OutageSettings settings, Mode mode,
			Function<String, Lookup> rows, Supplier<String> tokens, SessionStoreListener listener) {
		this.redis = redis;
		this.redisCircuit = redisCircuit;
		this.settings = settings;
		this.mode = mode;
		this.rows = rows;
		this.tokens = tokens;
		this.listener = listener;
	}

	/**
	 * The sessions whose writes this node has yet to persist.
	 */
	Collection<String> backlog() {
		return List.copyOf(this.backlog.keySet());
	}

	/**
	 * How long any session may live without being used.
	 */
	Duration maxSessionLife() {
		return this.settings.maxSessionLife();
	}

	/**
	 * What this node remembers to persist of a session.
	 */
	Kept kept(String id) {
		return this.backlog.getOrDefault(id, Kept.BY_OTHERS);
	}

	/**
	 * A session was persisted, unless it has been written since.
	 * @param kept what {@link #kept(String)} was before
	 */
	void persisted(String id, Kept kept) {
		this.backlog.remove(id, kept);
	}

	/**
	 * Whether this node has kept writes of a session in Redis that the durable store does
	 * not know yet, as far as it remembers.
	 */
	boolean isKept(String id) {
		return this.backlog.containsKey(id);
	}

	/**
	 * Keep a change in Redis.
	 * @param cause why the durable store did not take it
	 */
	WriteOutcome save(SessionRecord base, SessionChange change, TierUnavailableException cause) {
		if (!takesOver(cause)) {
			return new WriteOutcome.Unavailable(cause);
		}
		try {
			note();
			return base.id().equals(change.id()) ? keep(base, change, cause) : keepUnderNewId(base, change, cause);
		}
		catch (TierUnavailableException ex) {
			ex.addSuppressed(cause);
			return new WriteOutcome.Unavailable(ex);
		}
	}

	private WriteOutcome keep(SessionRecord base, SessionChange change, TierUnavailableException cause) {
		String token = this.tokens.get();
		SessionRecord there = base;
		for (int attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
			SessionRecord expected = there;
			SessionRecord from = newer(base, expected);
			SessionRecord next = from.withUnpersisted(change, token);
			CopyOutcome found = this.redisCircuit.call(() -> (from.version() == expected.version())
					? this.redis.apply(from, next, change) : this.redis.replace(expected, next));
			if (found.status() == Status.ABSENT) {
				if (this.mode == Mode.SHADOW && !isNew(base)) {
					// A plain node has ended it.
					return new WriteOutcome.Dropped();
				}
				Lookup latest = latest(base);
				if (latest instanceof Lookup.Ended) {
					this.listener.onLateSaveDropped();
					return new WriteOutcome.Dropped();
				}
				if (!(latest instanceof Lookup.Hit hit)) {
					return new WriteOutcome.Unavailable(cause);
				}
				SessionRecord filling = hit.session().withUnpersisted(change, token);
				found = this.redisCircuit.call(() -> this.redis.putIfAbsent(filling));
				if (found.status() == Status.DONE) {
					kept(filling.id(), token);
					return new WriteOutcome.Written(filling);
				}
			}
			if (found.status() == Status.DONE) {
				kept(next.id(), token);
				return new WriteOutcome.Written(next);
			}
			if (found.status() == Status.ENDED) {
				this.listener.onLateSaveDropped();
				return new WriteOutcome.Dropped();
			}
			Lookup copy = this.redisCircuit.call(() -> this.redis.find(base.id()));
			there = (copy instanceof Lookup.Hit hit) ? hit.session() : base;
			if (there.unpersisted().tokens().contains(token)) {
				// It was made; only its last access came after the write of another.
				kept(there.id(), token);
				return new WriteOutcome.Written(there);
			}
		}
		return contended(base.id(), cause);
	}

	/**
	 * The state to fill a gap with: another node may have committed a newer one than the
	 * request has read, and Redis have lost its copy. The durable store knows, if it can
	 * be read. What only Redis had, the request knows best.
	 * @return a hit, ended, or anything else if nobody can say
	 */
	private Lookup latest(SessionRecord base) {
		if (isNew(base)) {
			return new Lookup.Hit(base);
		}
		Lookup row = this.rows.apply(base.id());
		boolean own = (row instanceof Lookup.Hit hit) ? hit.session().version() <= base.version()
				: row instanceof Lookup.Miss && base.version() == SessionRecord.UNVERSIONED;
		return own ? new Lookup.Hit(base) : row;
	}

	/**
	 * The state to make a change to. A copy that is older than what the request has read
	 * came back with a Redis that had lost the newer one.
	 */
	private static SessionRecord newer(SessionRecord base, SessionRecord copy) {
		return (copy.version() < base.version() && copy.unpersisted().isEmpty()) ? base : copy;
	}

	/**
	 * First the new copy, then the old tombstone, which fails if the old copy was changed
	 * in between. Without the tombstone nobody is given the new id, and its copy goes.
	 */
	private WriteOutcome keepUnderNewId(SessionRecord base, SessionChange change, TierUnavailableException cause) {
		if (base.version() != SessionRecord.UNVERSIONED && this.redis.trust().state().suspect()) {
			// The new id would be given an older state, and nobody could merge it later.
			return new WriteOutcome.Unavailable(cause);
		}
		Lookup row = this.rows.apply(base.id());
		if (row instanceof Lookup.Ended ended && !change.id().equals(ended.movedTo())) {
			this.redisCircuit.write(() -> this.redis.endPersisted(base.id(), base.version() + 1));
			this.listener.onLateSaveDropped();
			return new WriteOutcome.Dropped();
		}
		// If the commit was only in doubt, the session has the new id already.
		Lookup moved = (row instanceof Lookup.Ended) ? this.rows.apply(change.id()) : row;
		// Others may have written since the request has read it, and should Redis be lost
		// half-way, the new copy may stay as it is put first.
		SessionRecord there = (this.redisCircuit.call(() -> this.redis.find(base.id())) instanceof Lookup.Hit hit)
				? hit.session() : base;
		SessionRecord put = null;
		String token = this.tokens.get();
		try {
			for (int attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
				SessionRecord expected = there;
				SessionRecord next = underNewId(newer(base, expected), moved, change, token);
				SessionRecord before = put;
				CopyOutcome found = this.redisCircuit
					.call(() -> (before == null) ? this.redis.putIfAbsent(next) : this.redis.replace(before, next));
				boolean durable = next.version() != SessionRecord.UNVERSIONED;
				boolean told = durable && next.unpersisted().isEmpty() && found.currentVersion() >= next.version();
				if (found.status() != Status.DONE && !told) {
					break;
				}
				SessionRecord placed = (found.status() == Status.DONE) ? next : put;
				// It must not go while nobody can say whether the old id leads to it.
				put = null;
				Lookup copy = endOld(base, expected, next.id(), keepFor(next), row);
				put = placed;
				// Also if only the answer was lost, or if others have told Redis of a
				// commit that was in doubt.
				boolean given = copy instanceof Lookup.Ended ended && next.id().equals(ended.movedTo());
				if (given || (durable && !(copy instanceof Lookup.Hit))) {
					put = null;
					kept(next.id(), (next.version() == SessionRecord.UNVERSIONED) ? token : "");
					kept(base.id(), Kept.end(next.id()));
					return new WriteOutcome.Written(next);
				}
				if (copy instanceof Lookup.Ended || (copy instanceof Lookup.Miss && this.mode == Mode.SHADOW)) {
					return new WriteOutcome.Dropped();
				}
				if (!(copy instanceof Lookup.Hit hit)) {
					return new WriteOutcome.Unavailable(cause);
				}
				there = hit.session();
			}
			return contended(base.id(), cause);
		}
		finally {
			if (put != null) {
				discardOrphan(put);
			}
		}
	}

	/**
	 * End the old copy.
	 * @return what Redis has under the old id then
	 */
	private Lookup endOld(SessionRecord base, SessionRecord expected, String newId, Duration keep, Lookup row) {
		try {
			if (tombstone(base, expected, newId, keep, row).status() == Status.DONE) {
				return new Lookup.Ended(newId);
			}
		}
		catch (TierUnavailableException ex) {
			logger.debug("Whether session {} has ended in Redis is in doubt", SessionHash.of(base.id()), ex);
		}
		return this.redisCircuit.call(() -> this.redis.find(base.id()));
	}

	/**
	 * Put a tombstone in place of the old copy. Where there is none, only if the row is
	 * as the request has read it.
	 */
	private CopyOutcome tombstone(SessionRecord base, SessionRecord expected, String newId, Duration keep, Lookup row) {
		CopyOutcome found = this.redisCircuit.call(() -> this.redis.endUnpersisted(base.id(), expected, newId, keep));
		if (found.status() != Status.ABSENT || this.mode == Mode.SHADOW || row instanceof Lookup.Unavailable) {
			return found;
		}
		boolean changed = !(latest(base) instanceof Lookup.Hit hit) || hit.session().version() > base.version();
		return changed ? found
				: this.redisCircuit.call(() -> this.redis.endUnpersistedIfAbsent(base.id(), newId, keep));
	}

	private void discardOrphan(SessionRecord orphan) {
		try {
			this.redisCircuit.write(() -> this.redis.discard(orphan));
		}
		catch (RuntimeException ex) {
			logger.debug("The copy of session {}, which nobody was given, is left to its TTL",
					SessionHash.of(orphan.id()), ex);
		}
	}

	/**
	 * As a rule the durable store knows nothing of the new id, and all of the session is
	 * unpersisted. What the old copy had of that is superseded, should that copy come
	 * back.
	 * @param copy the old copy
	 * @param row the row, if it can be read: it may have what Redis was not told of
	 */
	private SessionRecord underNewId(SessionRecord copy, Lookup row, SessionChange change, String token) {
		SessionRecord old = copy;
		if (row instanceof Lookup.Hit hit && hit.session().version() > copy.version()) {
			if (hit.session().id().equals(change.id())) {
				return hit.session().with(copy, change);
			}
			old = hit.session().with(copy, null);
		}
		SessionRecord moved = change.applyTo(old);
		SessionChange all = new SessionChange(moved.id(), moved.lastAccessedTime(), moved.maxInactiveInterval(),
				moved.attributes(), change.removedAttributes(), change.principal());
		return old.withVersion(SessionRecord.UNVERSIONED).withUnpersisted(all, token);
	}

	/**
	 * End a session in Redis.
	 * @param cause why the durable store could not be told
	 * @return whether there was a living copy
	 * @throws TierUnavailableException if Redis could not be told either
	 */
	boolean end(String id, TierUnavailableException cause) {
		if (!takesOver(cause)) {
			throw cause;
		}
		note();
		for (int attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
			Lookup copy = this.redisCircuit.call(() -> this.redis.find(id));
			if (copy instanceof Lookup.Ended) {
				return false;
			}
			SessionRecord living = (copy instanceof Lookup.Hit hit) ? hit.session() : null;
			Duration keep = (living != null) ? keepFor(living) : this.settings.maxSessionLife();
			// Of two who end it at once only one has ended the living copy.
			Status found = this.redisCircuit.call(() -> this.redis.endUnpersisted(id, living, null, keep)).status();
			if (found == Status.DONE) {
				kept(id, Kept.end(null));
				return living != null;
			}
		}
		throw new TierUnavailableException("The copy of session " + SessionHash.of(id) + " kept changing", cause);
	}

	/**
	 * Let every node know that there are unpersisted copies, before there are.
	 */
	private void note() {
		this.redisCircuit.write(this::noteInRedis);
	}

	private void noteInRedis() {
		// Another one each time: a node that has looked at all copies before takes back
		// only the note that it knew.
		this.redis.heartbeat().noteUnpersisted(this.tokens.get());
	}

	/**
	 * Keep under another id what only a copy has.
	 * @param id the id
	 * @param state the state of the session under that id, for want of a copy;
	 * {@code null} if that is not known
	 * @param persisted the tokens of what the durable store has been given, as far as is
	 * known
	 * @param copy the copy under an earlier id
	 * @param change a later change that the state includes, or {@code null}
	 * @return {@code false} if Redis has nothing under that id to keep it in
	 * @throws RedisTierException if Redis failed
	 * @throws TierUnavailableException if others kept changing the copy there
	 */
	boolean keepMoved(String id, @Nullable SessionRecord state, Set<String> persisted, SessionRecord copy,
			@Nullable SessionChange change) {
		noteInRedis();
		String now = id;
		for (int attempt = 0; attempt < MAX_MOVES; attempt++) {
			Lookup there = this.redis.find(now);
			CopyOutcome found;
			if (there instanceof Lookup.Hit hit) {
				found = this.redis.replace(hit.session(), hit.session().knowing(persisted).with(copy, change));
			}
			else if (there instanceof Lookup.Ended ended && ended.movedTo() != null) {
				now = ended.movedTo();
				continue;
			}
			else if (there instanceof Lookup.Miss && state != null && state.id().equals(now)) {
				found = this.redis.putIfAbsent(state.with(copy, change));
			}
			else {
				return false;
			}
			if (found.status() == Status.DONE) {
				kept(now, "");
				return true;
			}
		}
		throw new TierUnavailableException("The copy of session " + SessionHash.of(now) + " kept changing", null);
	}

	/**
	 * Whether the durable store may not know all sessions: it has refused writes of this
	 * node lately, or a node has noted that Redis alone has some.
	 */
	boolean isLikely() {
		return System.nanoTime() - this.lastFailure < RECENT.toNanos() || !this.backlog.isEmpty()
				|| !this.redis.heartbeat().unpersistedNote().isEmpty();
	}

	private boolean takesOver(TierUnavailableException cause) {
		this.lastFailure = System.nanoTime();
		return !this.settings.strict() && !DurableTier.isRefusal(cause) && !this.redisCircuit.isOpen();
	}

	/**
	 * Remember to persist a session.
	 * @param token of this node's last write, empty if it has made none
	 */
	void remember(String id, String token) {
		remember(id, new Kept(token, false, null));
	}

	private void remember(String id, Kept kept) {
		if (this.backlog.size() < CAPACITY) {
			this.backlog.merge(id, kept, Kept::then);
		}
	}

	private void kept(String id, String token) {
		kept(id, new Kept(token, false, null));
	}

	private void kept(String id, Kept kept) {
		remember(id, kept);
		this.listener.onUnpersisted();
	}

	private WriteOutcome contended(String id, TierUnavailableException cause) {
		logger.debug("The copy of session {} kept changing", SessionHash.of(id));
		return new WriteOutcome.Unavailable(cause);
	}

	/**
	 * As long as the row may live, and as long as it takes to be sure of that. The row
	 * may have a longer interval than a copy that was written since.
	 */
	private Duration keepFor(SessionRecord session) {
		Duration life = session.maxInactiveInterval().multipliedBy(2).plus(RedisTier.TOMBSTONE_TTL);
		boolean asLong = session.unpersisted().isEmpty() || life.compareTo(this.settings.maxSessionLife()) > 0;
		return asLong ? life : this.settings.maxSessionLife();
	}

	/**
	 * Whether a state is that of a session which was never stored.
	 */
	static boolean isNew(SessionRecord base) {
		return base.version() == SessionRecord.UNVERSIONED && base.attributes().isEmpty()
				&& base.unpersisted().isEmpty();
	}

	/**
	 * What this node has kept in Redis of a session.
	 *
	 * @param token of its last write, empty if only others have written
	 * @param ended whether it has ended the session, or its id: then that is durable in
	 * the end, whatever becomes of the tombstone
	 * @param movedTo the id that the session was given instead, if any
	 */
	record Kept(String token, boolean ended, @Nullable String movedTo) {

		static final Kept BY_OTHERS = new Kept("", false, null);

		static Kept end(@Nullable String movedTo) {
			return new Kept("", true, movedTo);
		}

		/**
		 * This, and what was kept later.
		 */
		Kept then(Kept later) {
			if (this.ended) {
				return this;
			}
			return (later.ended || !later.token.isEmpty()) ? later : this;
		}

	}

}

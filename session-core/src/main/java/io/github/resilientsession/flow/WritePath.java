package io.github.resilientsession.flow;

import java.time.Duration;
import java.util.Collection;
import java.util.OptionalLong;
import java.util.concurrent.CompletionStage;
import java.util.function.Consumer;

import io.github.resilientsession.circuit.TierCircuit;
import io.github.resilientsession.circuit.TierUnavailableException;
import io.github.resilientsession.durable.DurableTier;
import io.github.resilientsession.durable.PendingRow;
import io.github.resilientsession.flow.Commits.Commit;
import io.github.resilientsession.record.Lookup;
import io.github.resilientsession.record.SessionChange;
import io.github.resilientsession.record.SessionHash;
import io.github.resilientsession.record.SessionRecord;
import io.github.resilientsession.record.SessionStoreListener;
import io.github.resilientsession.redis.CopyOutcome;
import io.github.resilientsession.redis.CopyOutcome.Status;
import io.github.resilientsession.redis.RedisTier;
import io.github.resilientsession.redis.RedisTierException;
import io.github.resilientsession.redis.Sent;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The way of a write: durable first, then Redis. If Redis could not be told, the row is
 * marked as pending before the write is acknowledged, and is settled later. Safe for use
 * by many threads.
 * <p>
 * The invariant: when a method returns {@link WriteOutcome.Written}, the durable store
 * has committed the write, and either Redis holds no state older than it or the row
 * carries the pending mark; or the durable store cannot take it, and the copy in Redis
 * says what only it has ({@link OutageWrites}).
 */
public final class WritePath {

	private static final Logger logger = LoggerFactory.getLogger(WritePath.class);

	private final RedisTier redis;

	private final TierCircuit redisCircuit;

	private final DurableTier durable;

	private final TierCircuit durableCircuit;

	private final Commits commits;

	private final Convergence convergence;

	private final EndedCopies endedCopies;

	private final OutageWrites outage;

	private final BatchLoader loader;

	private final Mode mode;

	private final Consumer<SessionRecord> touched;

	private final SessionStoreListener listener;

	private final StoreCalls calls;

	private final MissedWrites missed = new MissedWrites();

	WritePath(RedisTier redis, TierCircuit redisCircuit, DurableTier durable, TierCircuit durableCircuit,
			Commits commits, Convergence convergence, EndedCopies endedCopies, OutageWrites outage, BatchLoader loader,
			Mode mode, Consumer<SessionRecord> touched, SessionStoreListener listener, StoreCalls calls) {
		this.redis = redis;
		this.redisCircuit = redisCircuit;
		this.durable = durable;
		this.durableCircuit = durableCircuit;
		this.commits = commits;
		this.convergence = convergence;
		this.endedCopies = endedCopies;
		this.outage = outage;
		this.loader = loader;
		this.mode = mode;
		this.touched = touched;
		this.listener = listener;
		this.calls = calls;
	}

	/**
	 * Store a change. A session that is new is a change of an empty, unversioned base.
	 * @param base the state that the request started from
	 * @param change what it changed
	 * @return the outcome
	 */
	public WriteOutcome save(SessionRecord base, SessionChange change) {
		boolean cutOff = !this.redisCircuit.takesWrites();
		Early early = new Early(base, change, cutOff);
		Commit commit;
		try {
			commit = this.calls.observe(StoreCall.COMMIT, () -> this.commits.commit(base, change, cutOff, early));
		}
		catch (CopyUnknownException ex) {
			return new WriteOutcome.Unavailable(ex);
		}
		catch (TierUnavailableException ex) {
			return this.outage.save(base, change, ex);
		}
		try {
			return (commit != null) ? tellRedisOf(commit, base, change, cutOff, early) : drop(base);
		}
		catch (TierUnavailableException ex) {
			return new WriteOutcome.Unavailable(ex);
		}
	}

	/**
	 * @param early what may have told Redis already, or {@code null}
	 */
	private WriteOutcome tellRedisOf(Commit commit, SessionRecord base, SessionChange change, boolean cutOff,
			@Nullable Early early) {
		SessionRecord next = commit.next();
		Sent sent = (early != null) ? early.sent : null;
		this.loader.forget(base.id());
		this.loader.forget(next.id());
		if (!base.id().equals(next.id())) {
			try {
				tellRedis(cutOff, living(next), () -> this.convergence.convergeNew(next, sent));
			}
			finally {
				tellRedis(cutOff, moved(base.id(), next.version()),
						() -> this.endedCopies.endMoved(base, next, change, (early != null) ? early.ended : null));
			}
		}
		else if (commit.onBase() && OutageWrites.isNew(base)) {
			tellRedis(cutOff, living(next), () -> this.convergence.convergeNew(next, sent));
		}
		else if (commit.onBase()) {
			tellRedis(cutOff, living(next), () -> applyToCopy(base, commit, change, sent));
		}
		else {
			tellRedis(cutOff, living(next), () -> converge(commit, change));
		}
		return new WriteOutcome.Written(next);
	}

	/**
	 * The session had been ended, but Redis may hold a copy that should not be there: it
	 * told this request that the session lived.
	 */
	private WriteOutcome drop(SessionRecord base) {
		this.loader.forget(base.id());
		endCopy(base.id(), base.version() + 1, false);
		this.listener.onLateSaveDropped();
		return new WriteOutcome.Dropped();
	}

	/**
	 * Move a session's last access forward. Never fails: if Redis is not there, the
	 * durable store learns of it soon.
	 * @param base the state that the request started from
	 * @param change the change, which is a touch
	 * @return the state after it
	 */
	public SessionRecord touch(SessionRecord base, SessionChange change) {
		if (!base.unpersisted().isEmpty()) {
			// Whoever wrote it may not live to let the durable store know.
			this.outage.remember(base.id(), "");
		}
		SessionRecord next = base.accessedAt(change.lastAccessedTime());
		this.touched.accept(next);
		try {
			this.calls.observe(StoreCall.TOUCH,
					() -> this.redisCircuit.call(() -> this.redis.touch(base, next.lastAccessedTime())));
		}
		catch (RuntimeException ex) {
			logger.debug("Touch of session {} did not reach Redis", SessionHash.of(base.id()), ex);
		}
		return next;
	}

	/**
	 * End a session.
	 * @param id the session's id
	 * @param keep how long a session that the durable store does not know can live
	 * @return the version with which it ended, 1 if the durable store did not know it or
	 * has yet to be told; empty if it had ended before
	 * @throws TierUnavailableException if it could not be ended
	 */
	public OptionalLong end(String id, Duration keep) {
		boolean cutOff = !this.redisCircuit.takesWrites();
		OptionalLong ended;
		try {
			ended = this.calls.observe(StoreCall.END,
					() -> this.durableCircuit.call(() -> this.durable.end(id, cutOff, keep)));
		}
		catch (TierUnavailableException ex) {
			return this.outage.end(id, ex) ? OptionalLong.of(1) : OptionalLong.empty();
		}
		tellRedisOfEnd(id, ended, cutOff);
		return ended;
	}

	private void tellRedisOfEnd(String id, OptionalLong ended, boolean cutOff) {
		this.loader.forget(id);
		long version = ended.orElse(1);
		if (ended.isPresent()) {
			tellRedis(cutOff, new PendingRow(id, version, null, true), () -> this.redis.end(id, version));
		}
		else {
			endCopy(id, version, cutOff);
		}
	}

	/**
	 * Tell Redis of an id that had ended before, perhaps since the session has another.
	 */
	private void endCopy(String id, long version, boolean cutOff) {
		tellRedis(cutOff, moved(id, version), () -> this.endedCopies.end(id, version));
	}

	/**
	 * The sessions whose writes this node has kept in Redis while the durable store was
	 * down.
	 * @return their ids
	 */
	public Collection<String> backlog() {
		return this.outage.backlog();
	}

	/**
	 * Let the durable store know what only Redis has of a session.
	 * @param id the session's id
	 * @throws TierUnavailableException if one of the stores failed again
	 */
	public void persist(String id) {
		OutageWrites.Kept kept = this.outage.kept(id);
		persist(id, kept, this.redisCircuit.call(() -> this.redis.find(id)));
		this.outage.persisted(id, kept);
	}

	private void persist(String id, OutageWrites.Kept kept, Lookup copy) {
		if (copy instanceof Lookup.Ended ended) {
			tellRedisOfEnd(id, persistEnd(id, ended.movedTo()), false);
		}
		else if (kept.ended()) {
			// The tombstone is gone, be it that Redis has lost it.
			endCopy(id, persistEnd(id, kept.movedTo()).orElse(1), false);
		}
		else if (copy instanceof Lookup.Hit hit && !hit.session().unpersisted().isEmpty()) {
			SessionRecord base = hit.session();
			SessionChange nothing = SessionChange.none(base);
			Commit commit = this.commits.commit(base, nothing, false, null);
			if (commit == null) {
				endCopy(id, base.version() + 1, false);
			}
			else {
				tellRedisOf(commit, base, nothing, false, null);
			}
		}
		else if (copy instanceof Lookup.Miss && !kept.token().isEmpty() && !isPersisted(id, kept.token())) {
			logger.warn("Redis has lost session {} before the database was back: what was written in between is gone.",
					SessionHash.of(id));
			this.listener.onUnpersistedLost();
		}
	}

	private OptionalLong persistEnd(String id, @Nullable String movedTo) {
		return this.durableCircuit.call(() -> this.durable.end(id, movedTo, false, this.outage.maxSessionLife()));
	}

	private boolean isPersisted(String id, String token) {
		return (this.commits.follow(id) instanceof Lookup.Hit now) ? now.session().persisted().contains(token)
				: this.durableCircuit.call(() -> this.durable.loadForMerge(id)) instanceof Lookup.Ended;
	}

	private void applyToCopy(SessionRecord base, Commit commit, SessionChange change, @Nullable Sent sent) {
		SessionRecord next = commit.next();
		CopyOutcome found = this.redis.applied((sent != null) ? sent : this.redis.sendApply(base, next, change), next);
		boolean stale = found.status() == Status.OTHER && found.currentVersion() < next.version();
		if (stale || found.status() == Status.ABSENT) {
			converge(commit, change);
		}
	}

	/**
	 * In shadow mode an absent copy was ended by a plain node. After a commit whose
	 * answer took long, it is the latest state that fills a gap: a read may have shared a
	 * load that began before the commit, and expects that a miss is filled. If that
	 * cannot be had soon, the gap stays.
	 */
	private void converge(Commit commit, SessionChange change) {
		Commit latest = commit.isRecent() ? commit : this.commits.latest(commit);
		this.convergence.converge(latest.next(), change, this.mode == Mode.ACTIVE && latest.isRecent());
	}

	/**
	 * Tell Redis of a durable commit, or mark the row as pending.
	 * @throws TierUnavailableException if neither could be done
	 */
	private void tellRedis(boolean alreadyMarked, PendingRow write, Runnable call) {
		if (alreadyMarked) {
			// First: the circuit may close meanwhile, after what was missed has been
			// told.
			this.missed.add(write);
			if (!this.redisCircuit.takesWrites()) {
				this.listener.onRedisPending();
				return;
			}
		}
		try {
			this.calls.observe(StoreCall.TELL, () -> {
				this.redisCircuit.write(call);
				return true;
			});
		}
		catch (TierUnavailableException ex) {
			this.missed.add(write);
			hideStaleCopy(write.id(), ex);
			if (!alreadyMarked) {
				this.durableCircuit.write(() -> this.durable.markPending(write.id()));
			}
			this.listener.onRedisPending();
		}
	}

	private static PendingRow living(SessionRecord session) {
		return new PendingRow(session.id(), session.version(), session, false);
	}

	/**
	 * An id that has ended, while the session may go on under another.
	 */
	private static PendingRow moved(String id, long version) {
		return new PendingRow(id, version, null, false);
	}

	/**
	 * Tell Redis, before this node trusts it again, what this node could not tell it.
	 * @throws RedisTierException if Redis failed again
	 * @throws TierUnavailableException if what only a copy has could not be committed
	 */
	public void tellMissed() {
		this.missed.tell(this.endedCopies, this.convergence);
	}

	/**
	 * Whether {@link #tellMissed()} tells all that Redis has missed of this node.
	 * @return {@code false} if there were too many writes to remember
	 */
	public boolean remembersAllMissed() {
		return this.missed.isComplete();
	}

	/**
	 * How many missed writes of this node could not be remembered.
	 * @return the number, to be taken before what is pending is looked at
	 */
	public long forgottenMissed() {
		return this.missed.forgotten();
	}

	/**
	 * All that was pending in the durable store has been told to Redis.
	 * @param forgotten what {@link #forgottenMissed()} was before that began
	 */
	public void settledAll(long forgotten) {
		this.missed.settled(forgotten);
	}

	/**
	 * Let no read of this node see the old copy until the new state has been put. A Redis
	 * that is out of memory still deletes; any other failure cuts Redis off until what is
	 * pending has been settled.
	 */
	private void hideStaleCopy(String id, RuntimeException ex) {
		if (ex.getCause() instanceof RedisTierException failure
				&& failure.kind() == RedisTierException.Kind.OUT_OF_MEMORY) {
			try {
				this.redisCircuit.write(() -> discard(id, failure));
				return;
			}
			catch (RuntimeException again) {
				logger.debug("The stale copy of session {} could not be removed", SessionHash.of(id), again);
			}
		}
		this.redisCircuit.open(ex);
	}

	/**
	 * @throws RedisTierException the failure, if the copy holds what the durable store
	 * does not know
	 */
	private void discard(String id, RedisTierException failure) {
		if (this.redis.find(id) instanceof Lookup.Hit hit) {
			if (!hit.session().unpersisted().isEmpty()) {
				throw failure;
			}
			this.redis.discard(hit.session());
		}
	}

	/**
	 * Tells Redis of a commit as soon as there is one: the thread of the request is woken
	 * once, when Redis has answered, and the commands of those who committed together are
	 * sent together. What it does not send, the request sends as ever.
	 */
	private final class Early implements Commits.Begin {

		private final SessionRecord base;

		private final SessionChange change;

		private final boolean cutOff;

		private volatile @Nullable Sent sent;

		/**
		 * The end of the copy under the id so far, sent after the copy under the new one.
		 */
		private volatile @Nullable Sent ended;

		Early(SessionRecord base, SessionChange change, boolean cutOff) {
			this.base = base;
			this.change = change;
			this.cutOff = cutOff;
		}

		@Override
		public @Nullable CompletionStage<?> begin(Commit commit) {
			if (this.cutOff || WritePath.this.redisCircuit.isOpen()) {
				return null;
			}
			SessionRecord next = commit.next();
			RedisTier tier = WritePath.this.redis;
			if (!next.id().equals(this.base.id())) {
				Sent put = tier.sendIfAbsent(next);
				Sent end = tier.sendEnd(this.base, next.version());
				this.sent = put;
				this.ended = end;
				return put.answeredWith(end);
			}
			if (!commit.onBase()) {
				return null;
			}
			Sent early = OutageWrites.isNew(this.base) ? tier.sendIfAbsent(next)
					: tier.sendApply(this.base, next, this.change);
			this.sent = early;
			return early.answered();
		}

	}

}

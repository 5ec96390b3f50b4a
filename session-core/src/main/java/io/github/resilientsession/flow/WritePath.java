package io.github.resilientsession.flow;

import java.time.Duration;
import java.util.OptionalLong;
import java.util.function.Consumer;

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
 * The way of a write: durable first, then Redis. If Redis could not be told, the row is
 * marked as pending before the write is acknowledged, and is settled later. Safe for use
 * by many threads.
 * <p>
 * The invariant: when a method returns {@link WriteOutcome.Written}, the durable store
 * has committed the write, and either Redis holds no state older than it or the row
 * carries the pending mark.
 */
public final class WritePath {

	private static final int MAX_MERGE_ATTEMPTS = 5;

	private static final Logger logger = LoggerFactory.getLogger(WritePath.class);

	private final RedisTier redis;

	private final TierCircuit redisCircuit;

	private final DurableTier durable;

	private final TierCircuit durableCircuit;

	private final BatchLoader loader;

	private final Mode mode;

	private final Consumer<SessionRecord> touched;

	private final SessionStoreListener listener;

	/**
	 * Create a write path.
	 * @param touched takes a touched session, whose last access is to become durable soon
	 */
	public WritePath(RedisTier redis, TierCircuit redisCircuit, DurableTier durable, TierCircuit durableCircuit,
			BatchLoader loader, Mode mode, Consumer<SessionRecord> touched, SessionStoreListener listener) {
		this.redis = redis;
		this.redisCircuit = redisCircuit;
		this.durable = durable;
		this.durableCircuit = durableCircuit;
		this.loader = loader;
		this.mode = mode;
		this.touched = touched;
		this.listener = listener;
	}

	/**
	 * Store a change. A session that is new is a change of an empty, unversioned base.
	 * @param base the state that the request started from
	 * @param change what it changed
	 * @return the outcome
	 */
	public WriteOutcome save(SessionRecord base, SessionChange change) {
		boolean cutOff = !this.redisCircuit.takesWrites();
		try {
			Commit commit = commit(base, change, cutOff);
			if (commit == null) {
				// Redis may hold a copy that should not be there: it told this request
				// that
				// the session lived.
				tellRedis(false, base.id(), () -> this.redis.end(base.id(), base.version() + 1));
				this.listener.onLateSaveDropped();
				return new WriteOutcome.Dropped();
			}
			this.loader.forget(base.id());
			this.loader.forget(change.id());
			SessionRecord next = commit.next();
			if (!base.id().equals(change.id())) {
				tellRedis(cutOff, next.id(), () -> this.redis.converge(next));
				tellRedis(cutOff, base.id(), () -> this.redis.end(base.id(), next.version()));
			}
			else if (commit.onBase() && base.version() != SessionRecord.UNVERSIONED) {
				tellRedis(cutOff, next.id(), () -> applyToCopy(next, change));
			}
			else {
				tellRedis(cutOff, next.id(), () -> this.redis.converge(next));
			}
			return new WriteOutcome.Written(next);
		}
		catch (TierUnavailableException ex) {
			return new WriteOutcome.Unavailable(ex);
		}
	}

	/**
	 * Move a session's last access forward. Never fails: if Redis is not there, the
	 * durable store learns of it soon.
	 * @param base the state that the request started from
	 * @param change the change, which is a touch
	 * @return the state after it
	 */
	public SessionRecord touch(SessionRecord base, SessionChange change) {
		if (base.version() == SessionRecord.UNVERSIONED) {
			// Written by plain Spring Session: adopt it.
			return (save(base, change) instanceof WriteOutcome.Written written) ? written.session() : base;
		}
		SessionRecord next = change.applyTo(base).withVersion(base.version());
		this.touched.accept(next);
		try {
			this.redisCircuit.call(() -> this.redis.touch(next));
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
	 * @return the version with which it ended, 1 if the durable store did not know it;
	 * empty if it had ended before
	 * @throws TierUnavailableException if the durable store could not be told
	 */
	public OptionalLong end(String id, Duration keep) {
		boolean cutOff = !this.redisCircuit.takesWrites();
		OptionalLong ended = this.durableCircuit.call(() -> this.durable.end(id, cutOff, keep));
		this.loader.forget(id);
		tellRedis(cutOff, id, () -> this.redis.end(id, ended.orElse(1)));
		return ended;
	}

	private @Nullable Commit commit(SessionRecord base, SessionChange change, boolean cutOff) {
		SessionRecord current = base;
		boolean inStore = base.version() != SessionRecord.UNVERSIONED;
		for (int attempt = 0; attempt < MAX_MERGE_ATTEMPTS; attempt++) {
			SessionRecord next = change.applyTo(current);
			if (write(current.id(), inStore, next, change, cutOff)) {
				return new Commit(next, attempt == 0);
			}
			String oldId = base.id();
			Lookup latest = this.durableCircuit.call(() -> this.durable.loadForMerge(oldId));
			if (latest instanceof Lookup.Hit hit) {
				current = hit.session();
				inStore = true;
				this.listener.onMerged();
			}
			else if (latest instanceof Lookup.Miss) {
				// Rows of ended sessions stay, so this one was never ended: the store was
				// replaced. The request's own state is the best there is.
				inStore = false;
			}
			else {
				return null;
			}
		}
		throw new TierUnavailableException("Session " + SessionHash.of(base.id()) + " was changed by others in each of "
				+ MAX_MERGE_ATTEMPTS + " attempts to merge into it", null);
	}

	private boolean write(String currentId, boolean inStore, SessionRecord next, SessionChange change, boolean cutOff) {
		return this.durableCircuit.call(() -> {
			if (!inStore) {
				return this.durable.insert(next, cutOff, null);
			}
			if (!currentId.equals(next.id())) {
				return this.durable.changeId(currentId, next, cutOff, null);
			}
			return this.durable.update(next, change.principal(), cutOff, null);
		});
	}

	private void applyToCopy(SessionRecord next, SessionChange change) {
		CopyOutcome found = this.redis.apply(next, change);
		boolean stale = found.status() == Status.OTHER && found.currentVersion() < next.version();
		// In shadow mode an absent copy was ended by a plain node.
		boolean gone = found.status() == Status.ABSENT && this.mode == Mode.ACTIVE;
		if (stale || gone) {
			this.redis.converge(next);
		}
	}

	/**
	 * Tell Redis of a durable commit, or mark the row as pending.
	 * @throws TierUnavailableException if neither could be done
	 */
	private void tellRedis(boolean alreadyMarked, String id, Runnable call) {
		if (alreadyMarked && !this.redisCircuit.takesWrites()) {
			this.listener.onRedisPending();
			return;
		}
		try {
			this.redisCircuit.write(call);
		}
		catch (TierUnavailableException ex) {
			if (!alreadyMarked) {
				this.durableCircuit.write(() -> this.durable.markPending(id));
			}
			this.listener.onRedisPending();
			hideStaleCopy(id, ex);
		}
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
				this.redisCircuit.write(() -> this.redis.discardCopy(id));
				return;
			}
			catch (RuntimeException again) {
				logger.debug("The stale copy of session {} could not be removed", SessionHash.of(id), again);
			}
		}
		this.redisCircuit.open(ex);
	}

	/**
	 * A durable commit.
	 *
	 * @param next the state after it
	 * @param onBase whether it was made on the state that the request started from, so
	 * that the change alone brings an equal copy to this state
	 */
	private record Commit(SessionRecord next, boolean onBase) {

	}

}

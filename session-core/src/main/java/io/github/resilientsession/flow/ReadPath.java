package io.github.resilientsession.flow;

import java.time.Clock;
import java.util.concurrent.Semaphore;

import io.github.resilientsession.circuit.TierCircuit;
import io.github.resilientsession.circuit.TierUnavailableException;
import io.github.resilientsession.record.Lookup;
import io.github.resilientsession.record.SessionRecord;
import io.github.resilientsession.record.SessionStoreListener;
import io.github.resilientsession.redis.CopyOutcome;
import io.github.resilientsession.redis.CopyTrust;
import io.github.resilientsession.redis.RedisTier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The way of a read: Redis, and where Redis cannot say, the durable store; what is found
 * there goes back into Redis. Safe for use by many threads.
 */
public final class ReadPath {

	/**
	 * Rebuilds that may be on their way at once; beyond that a session is rebuilt when it
	 * is next read.
	 */
	private static final int MAX_REBUILDS_IN_FLIGHT = 1_000;

	private static final Logger logger = LoggerFactory.getLogger(ReadPath.class);

	private final RedisTier redis;

	private final TierCircuit redisCircuit;

	private final BatchLoader loader;

	private final Convergence convergence;

	private final RebuildWatch watch;

	private final OutageWrites outage;

	private final Mode mode;

	private final Clock clock;

	private final SessionStoreListener listener;

	private final StoreCalls calls;

	private final VerifiedCopies verified = new VerifiedCopies();

	private final Semaphore rebuilds = new Semaphore(MAX_REBUILDS_IN_FLIGHT);

	ReadPath(RedisTier redis, TierCircuit redisCircuit, BatchLoader loader, Convergence convergence, RebuildWatch watch,
			OutageWrites outage, Mode mode, Clock clock, SessionStoreListener listener, StoreCalls calls) {
		this.redis = redis;
		this.redisCircuit = redisCircuit;
		this.loader = loader;
		this.convergence = convergence;
		this.watch = watch;
		this.outage = outage;
		this.mode = mode;
		this.clock = clock;
		this.listener = listener;
		this.calls = calls;
		loader.onFound(this::found);
	}

	/**
	 * Find a session.
	 * @param id the session's id
	 * @return a hit; a miss or ended only if a store that is the truth said so;
	 * unavailable if none could say
	 */
	public Lookup find(String id) {
		long began = System.nanoTime();
		CopyTrust.State before = this.redis.trust().state();
		Lookup copy = askRedis(id);
		if (copy instanceof Lookup.Ended) {
			// Once ended, always ended: a tombstone is true however old it is.
			this.listener.onUnknown();
			return copy;
		}
		if (copy instanceof Lookup.Hit hit && !hit.session().isExpiredAt(this.clock.instant())) {
			if (this.mode == Mode.SHADOW || isBelieved(hit.session(), before)) {
				this.listener.onRedisHit();
				return copy;
			}
			return compared(hit.session(), load(id, began, BatchLoader.NO_MISS));
		}
		if (copy instanceof Lookup.Unavailable) {
			this.listener.onRedisUnavailable();
			return onlyRedisKnows(id) ? unavailable() : findInStore(id, copy, began, BatchLoader.NO_MISS);
		}
		if (this.mode == Mode.SHADOW) {
			this.listener.onUnknown();
			return new Lookup.Miss();
		}
		return findInStore(id, copy, began, this.redis.keepsCopies() ? before.epoch() : BatchLoader.NO_MISS);
	}

	/**
	 * Whether the durable store is known not to know the latest of a session. In shadow
	 * mode it never does: a plain node may have ended it.
	 */
	private boolean onlyRedisKnows(String id) {
		return this.mode == Mode.SHADOW || this.outage.isKept(id);
	}

	private static Lookup unavailable() {
		return new Lookup.Unavailable(new TierUnavailableException(
				"Redis does not answer, and it may have sessions that the database does not know yet", null));
	}

	private Lookup findInStore(String id, Lookup copy, long began, long missEpoch) {
		Lookup row = load(id, began, missEpoch);
		if (row instanceof Lookup.Miss && copy instanceof Lookup.Unavailable && this.outage.isLikely()) {
			return unavailable();
		}
		tell(row, copy instanceof Lookup.Unavailable);
		return (row instanceof Lookup.Expired) ? new Lookup.Miss() : row;
	}

	/**
	 * Every read that Redis does not answer with the session has one cause.
	 * @param told whether it has been told already
	 */
	private void tell(Lookup row, boolean told) {
		if (row instanceof Lookup.Hit) {
			this.listener.onFalseLogoutAvoided();
			if (!told) {
				this.listener.onLostByRedis();
			}
		}
		else if (!told) {
			tellOfNone(row);
		}
	}

	/**
	 * Whether a copy can be believed as it is: nothing was suspected before Redis was
	 * asked nor since, or its session has been compared with the durable store within the
	 * present suspicion.
	 */
	private boolean isBelieved(SessionRecord copy, CopyTrust.State before) {
		CopyTrust.State now = this.redis.trust().state();
		if (now.epoch() != before.epoch()) {
			return false;
		}
		return !before.suspect() || this.verified.contains(copy, before.epoch());
	}

	private Lookup compared(SessionRecord copy, Lookup row) {
		Lookup found = compare(copy, row);
		if (found instanceof Lookup.Hit) {
			this.listener.onRedisHit();
		}
		else {
			tellOfNone(found);
		}
		return found;
	}

	private void tellOfNone(Lookup found) {
		if (found instanceof Lookup.Unavailable) {
			this.listener.onUnanswered();
		}
		else {
			this.listener.onUnknown();
		}
	}

	/**
	 * Compare a copy that may be old with its row.
	 */
	private Lookup compare(SessionRecord copy, Lookup row) {
		if (row instanceof Lookup.Hit hit) {
			return (copy.version() >= hit.session().version()) ? new Lookup.Hit(copy)
					: converged(copy, hit.session().accessedAt(copy.lastAccessedTime()));
		}
		if (row instanceof Lookup.Unavailable) {
			// In a Redis that is new, nothing is old that the durable store never knew.
			boolean never = copy.version() == SessionRecord.UNVERSIONED && this.redis.trust().state().fresh();
			return never ? new Lookup.Hit(copy) : row;
		}
		if (row instanceof Lookup.Expired expired && copy.version() >= expired.session().version()) {
			// It has been used since, of which the durable store does not know yet.
			return new Lookup.Hit(copy);
		}
		if (row instanceof Lookup.Expired expired && !copy.unpersisted().isEmpty()) {
			return converged(copy, expired.session().accessedAt(copy.lastAccessedTime()));
		}
		boolean known = copy.version() != SessionRecord.UNVERSIONED && copy.unpersisted().isEmpty();
		if (row instanceof Lookup.Miss && !known) {
			// Created while the durable store was down, or by plain Spring Session.
			return new Lookup.Hit(copy);
		}
		repair(() -> {
			if (row instanceof Lookup.Ended) {
				endCopy(copy);
			}
			else {
				this.redis.discard(copy);
			}
		});
		return (row instanceof Lookup.Expired) ? new Lookup.Miss() : row;
	}

	/**
	 * The copy is older than the row. What only the copy has is merged with the row.
	 * @param row the row, with the copy's last access where that is later
	 */
	private Lookup converged(SessionRecord copy, SessionRecord row) {
		try {
			SessionRecord state = this.redisCircuit.call(() -> this.convergence.converge(row));
			boolean merged = state.version() > row.version() || !state.unpersisted().isEmpty();
			if (!merged && !copy.unpersisted().isEmpty()) {
				// Another request has merged it just now: Redis has what came of that.
				Lookup newer = this.redisCircuit.call(() -> this.redis.find(copy.id()));
				return (newer instanceof Lookup.Miss) ? new Lookup.Hit(row) : newer;
			}
			return new Lookup.Hit(state);
		}
		catch (TierUnavailableException ex) {
			return copy.unpersisted().isEmpty() ? new Lookup.Hit(row) : new Lookup.Unavailable(ex);
		}
	}

	/**
	 * What only the copy has may have to be taken along, which is not for a read to do.
	 */
	private void endCopy(SessionRecord copy) {
		if (copy.unpersisted().isEmpty()) {
			this.redis.endPersisted(copy.id(), copy.version() + 1);
		}
		else {
			this.outage.remember(copy.id(), "");
		}
	}

	private void repair(Runnable task) {
		try {
			this.redisCircuit.write(task);
		}
		catch (TierUnavailableException ex) {
			logger.debug("A copy that is older than the durable store stays for now", ex);
		}
	}

	private Lookup load(String id, long began, long missEpoch) {
		return this.calls.observe(StoreCall.LOAD, () -> this.loader.load(id, began, missEpoch));
	}

	private Lookup askRedis(String id) {
		try {
			return this.calls.observe(StoreCall.FIND, () -> this.redisCircuit.call(() -> this.redis.find(id)));
		}
		catch (RuntimeException ex) {
			return new Lookup.Unavailable(ex);
		}
	}

	/**
	 * Put a session that was just loaded back into Redis, without waiting for it. The
	 * command is on the connection before any read gets the session, so a read that
	 * begins later finds the copy.
	 */
	private void found(SessionRecord session, long epoch) {
		this.verified.add(session, epoch);
		if (this.redisCircuit.isOpen() || !this.watch.mayRebuild() || !this.rebuilds.tryAcquire()) {
			return;
		}
		boolean sent = false;
		try {
			this.redisCircuit.call(() -> this.redis.rebuild(session)).whenComplete((outcome, failure) -> {
				this.rebuilds.release();
				boolean done = outcome != null && outcome.status() == CopyOutcome.Status.DONE;
				if (done || failure != null) {
					this.watch.rebuilt(session.withoutAttributes());
				}
				if (done) {
					this.listener.onRebuilt();
				}
			});
			sent = true;
		}
		catch (TierUnavailableException ex) {
			// Redis is not there: the next read that finds it back will rebuild.
		}
		finally {
			if (!sent) {
				this.rebuilds.release();
			}
		}
	}

}

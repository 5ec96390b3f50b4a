package io.github.resilientsession.flow;

import java.time.Clock;
import java.time.Instant;
import java.util.concurrent.Semaphore;

import io.github.resilientsession.circuit.TierCircuit;
import io.github.resilientsession.circuit.TierUnavailableException;
import io.github.resilientsession.record.Lookup;
import io.github.resilientsession.record.SessionRecord;
import io.github.resilientsession.record.SessionStoreListener;
import io.github.resilientsession.redis.CopyOutcome;
import io.github.resilientsession.redis.RedisTier;

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

	private final RedisTier redis;

	private final TierCircuit redisCircuit;

	private final BatchLoader loader;

	private final Mode mode;

	private final Clock clock;

	private final SessionStoreListener listener;

	private final Semaphore rebuilds = new Semaphore(MAX_REBUILDS_IN_FLIGHT);

	public ReadPath(RedisTier redis, TierCircuit redisCircuit, BatchLoader loader, Mode mode, Clock clock,
			SessionStoreListener listener) {
		this.redis = redis;
		this.redisCircuit = redisCircuit;
		this.loader = loader;
		this.mode = mode;
		this.clock = clock;
		this.listener = listener;
		loader.onFound(this::rebuild);
	}

	/**
	 * Find a session.
	 * @param id the session's id
	 * @return a hit; a miss or ended only if a store that is the truth said so;
	 * unavailable if none could say
	 */
	public Lookup find(String id) {
		long began = System.nanoTime();
		Lookup copy = askRedis(id);
		if (copy instanceof Lookup.Hit hit && !hit.session().isExpiredAt(this.clock.instant())) {
			this.listener.onRedisHit();
			return copy;
		}
		if (copy instanceof Lookup.Ended) {
			// Tombstones are written only after the durable store has ended the session.
			return copy;
		}
		boolean answered = !(copy instanceof Lookup.Unavailable);
		if (!answered) {
			this.listener.onRedisUnavailable();
		}
		else if (this.mode == Mode.SHADOW) {
			return new Lookup.Miss();
		}
		Lookup row = this.loader.load(id, began, answered);
		if (row instanceof Lookup.Expired) {
			row = new Lookup.Miss();
		}
		if (row instanceof Lookup.Hit && copy instanceof Lookup.Miss) {
			this.listener.onLostByRedis();
		}
		else if (row instanceof Lookup.Miss) {
			this.listener.onUnknown();
		}
		return row;
	}

	private Lookup askRedis(String id) {
		try {
			return this.redisCircuit.call(() -> this.redis.find(id));
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
	private void rebuild(SessionRecord session) {
		if (this.redisCircuit.isOpen() || !this.rebuilds.tryAcquire()) {
			return;
		}
		boolean sent = false;
		Instant readAt = this.clock.instant();
		try {
			this.redisCircuit.call(() -> this.redis.rebuild(session, readAt)).whenComplete((outcome, failure) -> {
				this.rebuilds.release();
				if (outcome != null && outcome.status() == CopyOutcome.Status.DONE) {
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

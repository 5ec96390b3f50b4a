package io.github.resilientsession.reconcile;

import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import java.util.function.Function;

import io.github.resilientsession.circuit.TierCircuit;
import io.github.resilientsession.circuit.TierUnavailableException;
import io.github.resilientsession.durable.DurableTier;
import io.github.resilientsession.durable.Touch;
import io.github.resilientsession.record.SessionHash;
import io.github.resilientsession.record.SessionRecord;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Ends the sessions that have expired, once per cluster, and deletes the rows of those
 * that ended long ago.
 * <p>
 * The invariant: a session is expired only if no access to it can have been acknowledged
 * within its interval. Every access is in Redis or in the durable store:
 * <ul>
 * <li>Where Redis took the touch, there is a living copy: its TTL is the interval from
 * the last access on. Such a session is never expired; its row learns of the access
 * instead.</li>
 * <li>Where Redis did not, or has lost the copy since, the row knows: touches reach it
 * within the grace, and a row counts as expired only when the grace has passed too. That
 * does not hold while nodes cannot reach the database and keep touches in memory; hence
 * nothing is expired until a while after the database is back.</li>
 * <li>Whatever reaches the row after it was looked at makes the conditional update
 * fail.</li>
 * </ul>
 * While Redis is cut off nobody can say that there is no living copy, and nothing is
 * expired either.
 */
public final class Expiry {

	static final String LEASE = "expiry";

	private static final Duration LEASE_DURATION = Duration.ofSeconds(30);

	private static final int PAGE = 100;

	/**
	 * So that a pass ends, whatever there is to do; what is left is for the next one.
	 */
	private static final Duration MAX_PASS = Duration.ofSeconds(20);

	private static final Logger logger = LoggerFactory.getLogger(Expiry.class);

	private final DurableTier durable;

	private final TierCircuit durableCircuit;

	private final Function<List<String>, Map<String, Duration>> remaining;

	private final BooleanSupplier allowed;

	private final Consumer<SessionRecord> expired;

	private final String owner;

	private final Clock clock;

	/**
	 * Create an expiry.
	 * @param durable the durable tier
	 * @param durableCircuit the circuit around it
	 * @param remaining asks Redis how long the copies of sessions will live; none for an
	 * id without a living copy; throws if Redis cannot say
	 * @param allowed whether Redis is there, and the database has been for long enough
	 * that no node keeps touches in memory
	 * @param expired is told of each session that has expired, with its attributes; once
	 * per cluster
	 * @param owner what names this node, different from every other
	 * @param clock this node's own clock, which is put right by the offset that the
	 * durable tier knows
	 */
	public Expiry(DurableTier durable, TierCircuit durableCircuit,
			Function<List<String>, Map<String, Duration>> remaining, BooleanSupplier allowed,
			Consumer<SessionRecord> expired, String owner, Clock clock) {
		this.durable = durable;
		this.durableCircuit = durableCircuit;
		this.remaining = remaining;
		this.allowed = allowed;
		this.expired = expired;
		this.owner = owner;
		this.clock = clock;
	}

	/**
	 * Make one pass, unless another node is making one.
	 * @throws TierUnavailableException if the durable store failed
	 */
	public void run() {
		if (!this.allowed.getAsBoolean() || !acquireLease()) {
			return;
		}
		try {
			expirePages();
			purgePages();
		}
		finally {
			releaseLease();
		}
	}

	private void expirePages() {
		long end = System.nanoTime() + MAX_PASS.toNanos();
		while (System.nanoTime() - end < 0 && mayGoOn()) {
			Instant now = now();
			List<SessionRecord> found = this.durableCircuit.call(() -> this.durable.findExpired(now, PAGE));
			if (found.isEmpty() || !expire(found, now) || found.size() < PAGE) {
				return;
			}
		}
	}

	/**
	 * Expire or extend what was found.
	 * @return whether anything has changed, so that the next page is another
	 */
	private boolean expire(List<SessionRecord> found, Instant now) {
		Map<String, Duration> living = this.remaining.apply(found.stream().map(SessionRecord::id).toList());
		List<Touch> touches = new ArrayList<>();
		boolean changed = false;
		for (SessionRecord session : found) {
			Duration left = living.get(session.id());
			if (left != null) {
				touches.add(new Touch(session.id(), lastAccess(session, left, now)));
			}
			else if (this.durableCircuit.call(() -> this.durable.expire(session, now))) {
				changed = true;
				tell(session);
			}
		}
		if (!touches.isEmpty()) {
			this.durableCircuit.call(() -> this.durable.touch(touches));
		}
		return changed || !touches.isEmpty();
	}

	/**
	 * When a session was last accessed whose copy has so long to live. Never later than
	 * now: a stale copy may have a longer interval than the row.
	 */
	private static Instant lastAccess(SessionRecord session, Duration left, Instant now) {
		Instant accessed = now.minus(session.maxInactiveInterval()).plus(left);
		return accessed.isAfter(now) ? now : accessed;
	}

	private void tell(SessionRecord session) {
		try {
			this.expired.accept(session);
		}
		catch (RuntimeException | Error ex) {
			logger.error("Session {} has expired, but not everybody could be told", SessionHash.of(session.id()), ex);
		}
	}

	private void purgePages() {
		Instant now = now();
		long end = System.nanoTime() + MAX_PASS.toNanos();
		while (System.nanoTime() - end < 0 && mayGoOn()) {
			if (this.durableCircuit.call(() -> this.durable.purge(now, PAGE)) < PAGE) {
				return;
			}
		}
	}

	/**
	 * By the database's clock, so that a node whose own is ahead ends nothing early.
	 */
	private Instant now() {
		return this.clock.instant().plusMillis(this.durable.clockOffset());
	}

	private boolean mayGoOn() {
		return this.allowed.getAsBoolean()
				&& this.durableCircuit.call(() -> this.durable.renewLease(LEASE, this.owner, LEASE_DURATION, ""));
	}

	private boolean acquireLease() {
		return this.durableCircuit.call(() -> this.durable.acquireLease(LEASE, this.owner, LEASE_DURATION) != null);
	}

	private void releaseLease() {
		try {
			this.durableCircuit.write(() -> this.durable.releaseLease(LEASE, this.owner));
		}
		catch (TierUnavailableException ex) {
			logger.debug("The lease will run out by itself", ex);
		}
	}

}

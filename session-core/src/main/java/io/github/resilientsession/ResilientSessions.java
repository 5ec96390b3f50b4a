package io.github.resilientsession;

import java.security.SecureRandom;
import java.time.Duration;
import java.util.Collection;
import java.util.concurrent.atomic.AtomicBoolean;

import io.github.resilientsession.circuit.CircuitSettings;
import io.github.resilientsession.circuit.TierCircuit;
import io.github.resilientsession.circuit.TierProber;
import io.github.resilientsession.circuit.TierUnavailableException;
import io.github.resilientsession.codec.AttributeCodec;
import io.github.resilientsession.durable.DurableTier;
import io.github.resilientsession.flow.SessionFlow;
import io.github.resilientsession.reconcile.PendingReconciler;
import io.github.resilientsession.reconcile.Reconciler;
import io.github.resilientsession.reconcile.Resync;
import io.github.resilientsession.reconcile.ResyncSettings;
import io.github.resilientsession.reconcile.TouchFlusher;
import io.github.resilientsession.reconcile.UnpersistedReconciler;
import io.github.resilientsession.record.ClusterClock;
import io.github.resilientsession.record.SessionStoreListener;
import io.github.resilientsession.redis.RedisTier;
import io.github.resilientsession.redis.RedisTierException;

/**
 * The whole of it: the two tiers, their circuits, the paths between them and the
 * background work, put together. {@link #start()} connects and {@link #close()} flushes
 * and disconnects; both tiers may be down at the start.
 */
public final class ResilientSessions implements AutoCloseable {

	/**
	 * How long a start waits for the first answer of each tier.
	 */
	private static final Duration FIRST_PROBE = Duration.ofSeconds(5);

	private static final SecureRandom RANDOM = new SecureRandom();

	private final RedisTier redis;

	private final DurableTier durable;

	private final TierCircuit redisCircuit;

	private final TierCircuit durableCircuit;

	private final SessionFlow flow;

	private final TierProber redisProber;

	private final TierProber durableProber;

	private final Reconciler reconciler;

	private final ResilientSessionRepository repository;

	private final Runnable prepareDurable;

	private final ClusterClock clock;

	private final Resync resync;

	private final AtomicBoolean closed = new AtomicBoolean();

	private boolean prepared;

	/**
	 * Put the parts together.
	 * @param redis the Redis tier, closed with this
	 * @param durable the durable tier, closed with this
	 * @param codec serializes attributes
	 * @param settings the settings of all parts
	 * @param prepareDurable run once, when the durable store is first reached, for
	 * example to create its table; tried again while it throws
	 * @param clock the time
	 * @param listener is told what the stores do
	 */
	public ResilientSessions(RedisTier redis, DurableTier durable, AttributeCodec codec, Settings settings,
			Runnable prepareDurable, ClusterClock clock, SessionStoreListener listener) {
		this.redis = redis;
		this.durable = durable;
		this.prepareDurable = prepareDurable;
		this.clock = clock;
		this.redisCircuit = new TierCircuit("redis", settings.redisCircuit(), ResilientSessions::isAnswer, listener);
		this.durableCircuit = new TierCircuit("durable", settings.durableCircuit(), DurableTier::isAnswer, listener);
		TouchFlusher touches = new TouchFlusher(durable, this.durableCircuit, settings.flow().durable());
		this.flow = new SessionFlow(redis, this.redisCircuit, durable, this.durableCircuit, settings.flow(), touches,
				ResilientSessions::newToken, clock, listener);
		PendingReconciler pending = new PendingReconciler(redis, durable, this.durableCircuit, this.flow.convergence(),
				listener);
		this.redisProber = new TierProber("resilient-session-probe-redis", this.redisCircuit, redis::probe,
				() -> settle(pending), settings.redisCircuit().probeInterval());
		this.durableProber = new TierProber("resilient-session-probe-durable", this.durableCircuit, this::probeDurable,
				() -> {
				}, settings.durableCircuit().probeInterval());
		redis.trust().whenSuspected(this.redisProber::wake);
		this.reconciler = new Reconciler(touches, new UnpersistedReconciler(this.flow.writePath()), pending,
				this.redisCircuit, this.durableCircuit, settings.reconcileInterval());
		this.resync = new Resync(redis, this.redisCircuit, durable, this.durableCircuit, this.flow.convergence(),
				this.flow.writePath(), settings.resync(), newToken(), this.redisProber::wake, clock);
		this.repository = new ResilientSessionRepository(this.flow.readPath(), this.flow.writePath(),
				(name) -> this.durableCircuit.call(() -> durable.findByPrincipalName(name)), codec,
				settings.repository(), clock, listener);
	}

	/**
	 * A full Redis still reads, touches and deletes: cutting it off would send every read
	 * to the durable store for nothing. Nor is it Redis's failure if the durable store
	 * did not take what only a copy has.
	 */
	private static boolean isAnswer(Throwable failure) {
		return failure instanceof TierUnavailableException || (failure instanceof RedisTierException redis
				&& redis.kind() == RedisTierException.Kind.OUT_OF_MEMORY);
	}

	private static String newToken() {
		return Long.toString(RANDOM.nextLong() >>> 4, Character.MAX_RADIX);
	}

	/**
	 * The repository.
	 * @return the same repository at each call
	 */
	public ResilientSessionRepository repository() {
		return this.repository;
	}

	/**
	 * The circuit around Redis.
	 * @return the circuit, for health and metrics
	 */
	public TierCircuit redisCircuit() {
		return this.redisCircuit;
	}

	/**
	 * The circuit around the durable store.
	 * @return the circuit, for health and metrics
	 */
	public TierCircuit durableCircuit() {
		return this.durableCircuit;
	}

	/**
	 * The sessions whose writes only Redis has, since the durable store was down, as far
	 * as this node made them.
	 * @return their ids, which are secrets
	 */
	public Collection<String> unpersisted() {
		return this.flow.writePath().backlog();
	}

	/**
	 * Connect and start the background work. Returns after ten seconds at the latest,
	 * whether the tiers answer or not; at once where they answer or refuse.
	 */
	public void start() {
		this.durableProber.start(FIRST_PROBE);
		this.redisProber.start(FIRST_PROBE);
		this.reconciler.start();
		this.resync.start();
	}

	/**
	 * Settle before Redis is trusted again. With the database down as well nobody can say
	 * what is pending. If this node itself has missed to tell Redis of nothing, it then
	 * is in no worse a position than one that never lost Redis, and better than none at
	 * all.
	 */
	private void settle(PendingReconciler pending) {
		if (!this.durableCircuit.isOpen() || this.redisCircuit.missedWrites()) {
			pending.settle();
		}
	}

	/**
	 * Called by the prober's thread only.
	 */
	private void probeDurable() {
		if (!this.prepared) {
			this.prepareDurable.run();
			this.prepared = true;
		}
		this.durable.probe();
		this.clock.putRight(this.durable.clockOffset());
	}

	/**
	 * Flush what is not durable yet, stop the background work and disconnect.
	 */
	@Override
	public void close() {
		if (!this.closed.compareAndSet(false, true)) {
			return;
		}
		this.resync.close();
		this.reconciler.close();
		this.redisProber.close();
		this.durableProber.close();
		this.flow.close();
		this.redis.close();
		this.durable.close();
	}

	/**
	 * The settings of all parts.
	 *
	 * @param flow how the paths between the tiers behave
	 * @param repository the rules for sessions
	 * @param redisCircuit the circuit around Redis
	 * @param durableCircuit the circuit around the durable store
	 * @param resync how Redis is brought to agree with the durable store
	 * @param reconcileInterval how often touches are flushed and pending writes settled
	 */
	public record Settings(SessionFlow.Settings flow, RepositorySettings repository, CircuitSettings redisCircuit,
			CircuitSettings durableCircuit, ResyncSettings resync, Duration reconcileInterval) {

	}

}

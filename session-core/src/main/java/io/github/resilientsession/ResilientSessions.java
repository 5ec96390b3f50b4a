package io.github.resilientsession;

import java.time.Clock;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicBoolean;

import io.github.resilientsession.circuit.CircuitSettings;
import io.github.resilientsession.circuit.TierCircuit;
import io.github.resilientsession.circuit.TierProber;
import io.github.resilientsession.codec.AttributeCodec;
import io.github.resilientsession.durable.DurableSettings;
import io.github.resilientsession.durable.DurableTier;
import io.github.resilientsession.durable.SchemaVersionException;
import io.github.resilientsession.flow.BatchLoader;
import io.github.resilientsession.flow.LoadSettings;
import io.github.resilientsession.flow.Mode;
import io.github.resilientsession.flow.ReadPath;
import io.github.resilientsession.flow.WritePath;
import io.github.resilientsession.reconcile.PendingReconciler;
import io.github.resilientsession.reconcile.Reconciler;
import io.github.resilientsession.reconcile.TouchFlusher;
import io.github.resilientsession.record.SessionStoreListener;
import io.github.resilientsession.redis.RedisTier;
import io.github.resilientsession.redis.RedisTierException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

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

	private static final Logger logger = LoggerFactory.getLogger(ResilientSessions.class);

	private final RedisTier redis;

	private final DurableTier durable;

	private final TierCircuit redisCircuit;

	private final TierCircuit durableCircuit;

	private final BatchLoader loader;

	private final TierProber redisProber;

	private final TierProber durableProber;

	private final Reconciler reconciler;

	private final ResilientSessionRepository repository;

	private final Runnable prepareDurable;

	private final AtomicBoolean closed = new AtomicBoolean();

	private boolean prepared;

	private volatile boolean started;

	private volatile @Nullable SchemaVersionException mismatch;

	/**
	 * Put the parts together.
	 * @param redis the Redis tier, closed with this
	 * @param durable the durable tier, closed with this
	 * @param codec serializes attributes
	 * @param settings the settings of all parts
	 * @param prepareDurable run once, when the durable store is first reached and before
	 * anything else is, for example to create its tables; tried again while it throws
	 * @param clock the time
	 * @param listener is told what the stores do
	 */
	public ResilientSessions(RedisTier redis, DurableTier durable, AttributeCodec codec, Settings settings,
			Runnable prepareDurable, Clock clock, SessionStoreListener listener) {
		this.redis = redis;
		this.durable = durable;
		this.prepareDurable = prepareDurable;
		this.redisCircuit = new TierCircuit("redis", settings.redisCircuit(), ResilientSessions::isAnswer, listener);
		this.durableCircuit = new TierCircuit("durable", settings.durableCircuit(), DurableTier::isAnswer, listener);
		this.durableCircuit.openUntilProbed();
		this.loader = new BatchLoader(durable, this.durableCircuit, settings.load(), listener);
		TouchFlusher touches = new TouchFlusher(durable, this.durableCircuit, settings.durable());
		PendingReconciler pending = new PendingReconciler(redis, durable, this.durableCircuit, listener);
		ReadPath readPath = new ReadPath(redis, this.redisCircuit, this.loader, settings.mode(), clock, listener);
		WritePath writePath = new WritePath(redis, this.redisCircuit, durable, this.durableCircuit, this.loader,
				settings.mode(), touches, listener);
		this.redisProber = new TierProber("resilient-session-probe-redis", this.redisCircuit, redis::probe,
				pending::settle, settings.redisCircuit().probeInterval());
		this.durableProber = new TierProber("resilient-session-probe-durable", this.durableCircuit, this::probeDurable,
				() -> {
				}, settings.durableCircuit().probeInterval());
		this.reconciler = new Reconciler(touches, pending, this.redisCircuit, this.durableCircuit,
				settings.reconcileInterval());
		this.repository = new ResilientSessionRepository(readPath, writePath,
				(name) -> this.durableCircuit.call(() -> durable.findByPrincipalName(name)), codec,
				settings.repository(), clock, listener);
	}

	/**
	 * A full Redis still reads, touches and deletes: cutting it off would send every read
	 * to the durable store for nothing.
	 */
	private static boolean isAnswer(Throwable failure) {
		return failure instanceof RedisTierException redis && redis.kind() == RedisTierException.Kind.OUT_OF_MEMORY;
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
	 * Connect and start the background work. Returns after ten seconds at the latest,
	 * whether the tiers answer or not; at once where they answer or refuse.
	 * @throws SchemaVersionException if the durable store answers, and its tables are
	 * older or newer than this library needs. If it answers later than that, it stays cut
	 * off.
	 */
	public void start() {
		this.durableProber.start(FIRST_PROBE);
		this.started = true;
		SchemaVersionException found = this.mismatch;
		if (found != null) {
			throw found;
		}
		this.redisProber.start(FIRST_PROBE);
		this.reconciler.start();
	}

	/**
	 * Called by the prober's thread only.
	 */
	private void probeDurable() {
		if (!this.prepared) {
			try {
				this.prepareDurable.run();
			}
			catch (SchemaVersionException ex) {
				report(ex);
				throw ex;
			}
			this.prepared = true;
		}
		this.durable.probe();
	}

	private void report(SchemaVersionException ex) {
		boolean first = this.mismatch == null;
		this.mismatch = ex;
		if (first && this.started) {
			logger.error("The database for sessions stays cut off. {} {}", ex.getMessage(), ex.action());
		}
	}

	/**
	 * Flush what is not durable yet, stop the background work and disconnect.
	 */
	@Override
	public void close() {
		if (!this.closed.compareAndSet(false, true)) {
			return;
		}
		this.reconciler.close();
		this.redisProber.close();
		this.durableProber.close();
		this.loader.close();
		this.redis.close();
		this.durable.close();
	}

	/**
	 * The settings of all parts.
	 *
	 * @param mode which store is the truth
	 * @param repository the rules for sessions
	 * @param redisCircuit the circuit around Redis
	 * @param durableCircuit the circuit around the durable store
	 * @param durable the durable tier's own settings
	 * @param load the bounds for missed sessions
	 * @param reconcileInterval how often touches are flushed and pending writes settled
	 */
	public record Settings(Mode mode, RepositorySettings repository, CircuitSettings redisCircuit,
			CircuitSettings durableCircuit, DurableSettings durable, LoadSettings load, Duration reconcileInterval) {

	}

}

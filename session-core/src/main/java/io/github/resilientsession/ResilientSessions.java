package io.github.resilientsession;

import java.security.SecureRandom;
import java.time.Duration;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicBoolean;

import io.github.resilientsession.circuit.CircuitSettings;
import io.github.resilientsession.circuit.TierCircuit;
import io.github.resilientsession.circuit.TierProber;
import io.github.resilientsession.circuit.TierUnavailableException;
import io.github.resilientsession.codec.AttributeCodec;
import io.github.resilientsession.doctor.CriticalFindingsException;
import io.github.resilientsession.doctor.DoctorSettings;
import io.github.resilientsession.doctor.Finding;
import io.github.resilientsession.doctor.RedisDoctor;
import io.github.resilientsession.doctor.Report;
import io.github.resilientsession.durable.DurableTier;
import io.github.resilientsession.durable.SchemaVersionException;
import io.github.resilientsession.flow.BatchLoader;
import io.github.resilientsession.flow.Mode;
import io.github.resilientsession.flow.SessionFlow;
import io.github.resilientsession.reconcile.BackgroundThread;
import io.github.resilientsession.reconcile.Expiry;
import io.github.resilientsession.reconcile.PendingReconciler;
import io.github.resilientsession.reconcile.RebuildCheck;
import io.github.resilientsession.reconcile.Reconciler;
import io.github.resilientsession.reconcile.Resync;
import io.github.resilientsession.reconcile.ResyncSettings;
import io.github.resilientsession.reconcile.TouchFlusher;
import io.github.resilientsession.reconcile.TtlAudit;
import io.github.resilientsession.reconcile.TtlAuditSettings;
import io.github.resilientsession.reconcile.UnpersistedReconciler;
import io.github.resilientsession.record.ClusterClock;
import io.github.resilientsession.record.SessionRecord;
import io.github.resilientsession.record.SessionStoreListener;
import io.github.resilientsession.redis.RedisTier;
import io.github.resilientsession.redis.RedisTierException;
import io.micrometer.observation.ObservationRegistry;
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

	/**
	 * After so many reconcile intervals with the database back, every node has flushed
	 * the touches that it kept in memory.
	 */
	private static final int FLUSHES = 60;

	private static final Duration MAX_EXPIRY_STOP = Duration.ofSeconds(2);

	private static final Duration MAX_EXAMINATIONS_STOP = Duration.ofSeconds(1);

	private static final SecureRandom RANDOM = new SecureRandom();

	private static final Logger logger = LoggerFactory.getLogger(ResilientSessions.class);

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

	private final Mode mode;

	private final Duration touchesFlushed;

	private final Resync resync;

	private final TouchFlusher touches;

	private final RedisDoctor doctor;

	private final DoctorSettings doctorSettings;

	private final BackgroundThread examinations;

	private final TtlAudit ttlAudit;

	private final BackgroundThread expiry;

	private final AtomicBoolean closed = new AtomicBoolean();

	private boolean prepared;

	private volatile boolean started;

	private volatile long pendingWrites;

	/**
	 * Whether it has been said that Redis does not take writes. Used by one thread.
	 */
	private boolean refusesWrites;

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
	 * @param observations is told of each call of a store that a request waits for
	 */
	public ResilientSessions(RedisTier redis, DurableTier durable, AttributeCodec codec, Settings settings,
			Runnable prepareDurable, ClusterClock clock, SessionStoreListener listener,
			ObservationRegistry observations) {
		this.redis = redis;
		this.durable = durable;
		this.prepareDurable = prepareDurable;
		this.clock = clock;
		this.mode = settings.flow().mode();
		this.touchesFlushed = settings.reconcileInterval().multipliedBy(FLUSHES);
		this.redisCircuit = new TierCircuit("redis", settings.redisCircuit(), ResilientSessions::isAnswer, listener);
		this.durableCircuit = new TierCircuit("durable", settings.durableCircuit(), DurableTier::isAnswer, listener);
		this.durableCircuit.openUntilProbed();
		this.touches = new TouchFlusher(durable, this.durableCircuit, settings.flow().durable(), listener);
		RebuildCheck rebuilds = new RebuildCheck(redis, this.redisCircuit, durable, this.durableCircuit,
				redis.lateness());
		this.flow = new SessionFlow(redis, this.redisCircuit, durable, this.durableCircuit, settings.flow(),
				this.touches, rebuilds, ResilientSessions::newToken, clock, listener, observations);
		PendingReconciler pending = new PendingReconciler(redis, durable, this.durableCircuit, this.flow.convergence(),
				this.flow.endedCopies(), rebuilds, listener);
		this.redisProber = new TierProber("resilient-session-probe-redis", this.redisCircuit, redis::probe,
				() -> settle(pending), settings.redisCircuit().probeInterval());
		this.durableProber = new TierProber("resilient-session-probe-durable", this.durableCircuit, this::probeDurable,
				() -> {
				}, settings.durableCircuit().probeInterval());
		redis.trust().whenSuspected(this.redisProber::wake);
		Expiry expiry = new Expiry(durable, this.durableCircuit, this::remainingLives, this::mayExpire,
				this::publishExpired, newToken(), clock.node());
		this.reconciler = new Reconciler(this.touches, new UnpersistedReconciler(this.flow.writePath()),
				() -> settleIfDue(pending), rebuilds, this.redisCircuit, this.durableCircuit,
				settings.reconcileInterval());
		// The application's listeners may take their time, which nothing else has to wait
		// for.
		this.expiry = new BackgroundThread("resilient-session-expiry", "Expiring sessions", settings.expiryInterval(),
				expiry::run);
		this.resync = new Resync(redis, this.redisCircuit, durable, this.durableCircuit, this.flow, rebuilds,
				settings.resync(), newToken(), this.redisProber::wake, clock);
		this.doctorSettings = settings.doctor();
		this.doctor = new RedisDoctor(redis.diagnostics(), settings.doctor(),
				() -> !redis.heartbeat().refillNote().isEmpty(), clock.node());
		this.examinations = new BackgroundThread("resilient-session-doctor", "Examining Redis",
				settings.doctor().interval(), this::examine);
		this.ttlAudit = new TtlAudit(redis, this.redisCircuit, durable, this.durableCircuit, settings.ttlAudit(),
				newToken(), clock.node(), listener);
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
	 * How far Redis has been brought to agree with the durable store by this node.
	 * @return the progress of the resync that this node does, or has done last
	 */
	public Resync.Progress resyncProgress() {
		return this.resync.progress();
	}

	/**
	 * Let Redis be compared with the durable store, and what is missing be put back, as
	 * after it has lost data. Begins soon, while both stores are there; another node may
	 * have to end its own first.
	 * @throws IllegalStateException in shadow mode, in which Redis is the truth
	 */
	public void requestResync() {
		if (this.mode == Mode.SHADOW) {
			throw new IllegalStateException("There is no resync in shadow mode: Redis is the truth");
		}
		this.resync.request();
	}

	/**
	 * How far the search for sessions without a TTL is.
	 * @return the progress of the audit that this node does, or has done last
	 */
	public TtlAudit.Progress ttlAuditProgress() {
		return this.ttlAudit.progress();
	}

	/**
	 * Let Redis be searched for sessions without a TTL, as it is from time to time
	 * anyway. Begins soon, while both stores are there; another node may have to end its
	 * own first.
	 * @param dryRun whether they are only counted, and not given one
	 */
	public void requestTtlAudit(boolean dryRun) {
		this.ttlAudit.request(dryRun);
	}

	/**
	 * What the doctor has found in Redis.
	 * @return the last report
	 */
	public Report doctorReport() {
		return this.doctor.report();
	}

	/**
	 * Whether this node takes what Redis answers as it is.
	 * @return {@code false} while each copy is checked, since Redis may have older data;
	 * always {@code true} in shadow mode, in which Redis is the truth
	 */
	public boolean trustsRedis() {
		return this.mode == Mode.SHADOW || !this.redis.trust().state().suspect();
	}

	/**
	 * Whether Redis lets this user ask {@code INFO}, which managed services may not.
	 * @return {@code false} if it has refused
	 */
	public boolean allowsInfo() {
		return !this.redis.heartbeat().infoRefused();
	}

	/**
	 * How many committed writes Redis has missed and not been told of since, in the whole
	 * cluster.
	 * @return the number as of the last examination, at most 100,000
	 */
	public long pendingWrites() {
		return this.pendingWrites;
	}

	/**
	 * How many touches of this node wait to be written to the durable store.
	 * @return the number
	 */
	public int touchesWaiting() {
		return this.touches.waiting();
	}

	/**
	 * What loads sessions that Redis does not give.
	 * @return the loader, for metrics
	 */
	public BatchLoader loader() {
		return this.flow.loader();
	}

	/**
	 * Connect and start the background work. Returns after ten seconds at the latest,
	 * whether the tiers answer or not; at once where they answer or refuse.
	 * @throws SchemaVersionException if the durable store answers, and its tables are
	 * older or newer than this library needs. If it answers later than that, it stays cut
	 * off.
	 * @throws CriticalFindingsException if Redis answers, is not fit for sessions, and
	 * the settings say that this is not to be
	 */
	public void start() {
		this.durableProber.start(FIRST_PROBE);
		this.started = true;
		SchemaVersionException found = this.mismatch;
		if (found != null) {
			throw found;
		}
		this.redisProber.start(FIRST_PROBE);
		examineFirst();
		this.reconciler.start();
		this.expiry.start();
		this.examinations.start();
		this.ttlAudit.start();
		if (this.mode == Mode.ACTIVE) {
			this.resync.start();
		}
	}

	private void examineFirst() {
		try {
			examine();
		}
		catch (RuntimeException ex) {
			logger.debug("Redis could not be examined at the start", ex);
		}
		List<Finding> critical = this.doctor.report().critical();
		if (this.doctorSettings.onCritical() == DoctorSettings.OnCritical.FAIL && !critical.isEmpty()) {
			throw new CriticalFindingsException(critical);
		}
	}

	private void examine() {
		try {
			if (this.doctorSettings.enabled() && !this.redisCircuit.isOpen()) {
				this.doctor.examine();
			}
		}
		finally {
			countPending();
		}
	}

	/**
	 * Not through the circuit: that a number to be shown takes long is no reason to cut
	 * the durable store off.
	 */
	private void countPending() {
		if (this.durableCircuit.isOpen()) {
			return;
		}
		try {
			tellOfPending(this.pendingWrites, this.durable.countPending());
		}
		catch (RuntimeException ex) {
			logger.debug("Pending writes could not be counted", ex);
		}
	}

	/**
	 * Say once that Redis does not take writes though it answers. A write that is pending
	 * for no longer than until the next look is told soon.
	 */
	private void tellOfPending(long before, long now) {
		this.pendingWrites = now;
		boolean refused = before > 0 && now > 0 && !this.redisCircuit.isOpen();
		if (refused && !this.refusesWrites) {
			this.refusesWrites = true;
			logger.warn(
					"Redis has not taken {} committed session writes, though it answers; these sessions are served "
							+ "from the database meanwhile. As a rule it is full: look at INFO memory and maxmemory.",
					now);
		}
		else if (now == 0 && this.refusesWrites) {
			this.refusesWrites = false;
			logger.info("Redis has taken all session writes that it had missed.");
		}
	}

	/**
	 * Settle before Redis is trusted again: first what this node itself could not tell
	 * it, then what is pending in the database. With the database down as well nobody can
	 * say what that is. This node is then in no worse a position than one that never lost
	 * Redis.
	 */
	private void settle(PendingReconciler pending) {
		this.flow.writePath().tellMissed();
		long forgotten = this.flow.writePath().forgottenMissed();
		try {
			pending.settle();
			this.flow.writePath().settledAll(forgotten);
		}
		catch (TierUnavailableException ex) {
			if (!this.flow.writePath().remembersAllMissed()) {
				throw ex;
			}
		}
	}

	private void settleIfDue(PendingReconciler pending) {
		if (pending.isDue()) {
			settle(pending);
		}
	}

	private Map<String, Duration> remainingLives(List<String> ids) {
		Map<String, Duration> lives = new HashMap<>();
		this.redisCircuit.call(() -> this.redis.states(ids)).forEach((id, copy) -> {
			if (!copy.isTombstone()) {
				lives.put(id, copy.life());
			}
		});
		return lives;
	}

	/**
	 * Whether sessions may be expired: Redis must be there and believed, and the database
	 * must have been there for so long that no node keeps touches in its memory. Not
	 * while this node is being closed.
	 */
	private boolean mayExpire() {
		return !this.closed.get() && this.mode == Mode.ACTIVE && !this.redisCircuit.isOpen()
				&& !this.redis.trust().state().suspect() && this.durableCircuit.isClosedFor(this.touchesFlushed);
	}

	private void publishExpired(SessionRecord session) {
		this.repository.publishExpired(session);
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
		this.clock.putRight(this.durable.clockOffset());
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
		this.resync.close();
		this.ttlAudit.close();
		this.examinations.stop(MAX_EXAMINATIONS_STOP);
		this.expiry.stop(MAX_EXPIRY_STOP);
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
	 * @param expiryInterval how often expired sessions are looked for
	 * @param doctor from where on something about Redis is a finding
	 * @param ttlAudit how sessions without a TTL are looked for
	 */
	public record Settings(SessionFlow.Settings flow, RepositorySettings repository, CircuitSettings redisCircuit,
			CircuitSettings durableCircuit, ResyncSettings resync, Duration reconcileInterval, Duration expiryInterval,
			DoctorSettings doctor, TtlAuditSettings ttlAudit) {

	}

}

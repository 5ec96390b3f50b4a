package io.github.resilientsession.reconcile;

import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.concurrent.atomic.AtomicReference;

import io.github.resilientsession.circuit.TierCircuit;
import io.github.resilientsession.circuit.TierUnavailableException;
import io.github.resilientsession.durable.DurableTier;
import io.github.resilientsession.record.SessionHash;
import io.github.resilientsession.record.SessionStoreListener;
import io.github.resilientsession.redis.CopyPage;
import io.github.resilientsession.redis.ImmortalPage;
import io.github.resilientsession.redis.RedisTier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Looks for sessions in Redis that have no TTL, left there by other software or an older
 * version, and gives them one. One node does it for all, under a lease, and slowly.
 * <p>
 * A key is given a TTL in one atomic step with the look whether it has none, so that it
 * never shortens the life of a session that is being used.
 */
public final class TtlAudit implements AutoCloseable {

	private static final String LEASE = "ttl-audit";

	/**
	 * Longer than a page takes.
	 */
	private static final Duration LEASE_TIME = Duration.ofSeconds(30);

	private static final Duration RENEWAL = Duration.ofSeconds(10);

	/**
	 * How often to look whether an audit is due, or asked for.
	 */
	private static final Duration LOOK = Duration.ofMillis(500);

	/**
	 * How long to wait after a failure.
	 */
	private static final Duration RETRY = Duration.ofSeconds(2);

	/**
	 * After how many failures in a row to give an audit up: Redis does not allow it.
	 */
	private static final int MAX_FAILURES = 5;

	private static final int KEYS = 200;

	private static final Duration MAX_CLOSE = Duration.ofSeconds(2);

	private static final Logger logger = LoggerFactory.getLogger(TtlAudit.class);

	private final RedisTier redis;

	private final TierCircuit redisCircuit;

	private final DurableTier durable;

	private final TierCircuit durableCircuit;

	private final TtlAuditSettings settings;

	private final String owner;

	private final Clock clock;

	private final SessionStoreListener listener;

	private final BackgroundThread thread;

	/**
	 * What was asked for and has not begun, if anything.
	 */
	private final AtomicReference<@Nullable Kind> asked = new AtomicReference<>();

	/**
	 * When the next audit is due, by {@link System#nanoTime()}: soon after the start,
	 * unless another node has done one lately.
	 */
	private long due = System.nanoTime();

	/**
	 * Until when to do nothing.
	 */
	private long pauseEnd = System.nanoTime();

	private int failures;

	/**
	 * Where the audit is that goes on after a failure.
	 */
	private String cursor = CopyPage.START;

	private long lastRenewal;

	private volatile Progress progress = Progress.NONE;

	/**
	 * Create an audit, not started.
	 * @param owner the name of this node, which no other has
	 * @param listener is told of each key without a TTL
	 */
	public TtlAudit(RedisTier redis, TierCircuit redisCircuit, DurableTier durable, TierCircuit durableCircuit,
			TtlAuditSettings settings, String owner, Clock clock, SessionStoreListener listener) {
		this.redis = redis;
		this.redisCircuit = redisCircuit;
		this.durable = durable;
		this.durableCircuit = durableCircuit;
		this.settings = settings;
		this.owner = owner;
		this.clock = clock;
		this.listener = listener;
		this.thread = new BackgroundThread("resilient-session-ttl-audit", "Looking for sessions without a TTL", LOOK,
				this::auditIfDue);
	}

	/**
	 * Start the thread.
	 */
	public void start() {
		this.thread.start();
	}

	/**
	 * Let this node audit soon, unless another does.
	 * @param dryRun whether to count only
	 */
	public void request(boolean dryRun) {
		this.asked.set(dryRun ? Kind.DRY_RUN : Kind.REPAIR);
	}

	/**
	 * How far the audit is that this node does, or has done last.
	 * @return the progress
	 */
	public Progress progress() {
		return this.progress;
	}

	private void auditIfDue() throws InterruptedException {
		Kind wanted = this.asked.get();
		boolean isDue = this.settings.enabled() && System.nanoTime() - this.due >= 0;
		if ((!isDue && wanted == null) || System.nanoTime() - this.pauseEnd < 0 || this.redisCircuit.isOpen()
				|| this.durableCircuit.isOpen()) {
			return;
		}
		this.pauseEnd = System.nanoTime() + RETRY.toNanos();
		String lastEnd = this.durableCircuit.call(() -> this.durable.acquireLease(LEASE, this.owner, LEASE_TIME));
		if (lastEnd == null) {
			// Another node does it.
			this.cursor = CopyPage.START;
			this.pauseEnd = System.nanoTime() + ((wanted != null) ? RETRY : LEASE_TIME).toNanos();
			return;
		}
		try {
			if (wanted != null || !isRecent(lastEnd)) {
				this.lastRenewal = System.nanoTime();
				audit((wanted != null) ? wanted == Kind.DRY_RUN : this.settings.dryRun());
				renew(Long.toString(this.clock.millis()));
				this.progress = this.progress.completed(this.clock.instant());
				end(wanted);
			}
		}
		catch (RuntimeException ex) {
			failed(wanted, ex);
		}
		finally {
			this.progress = this.progress.stopped();
			release();
		}
	}

	private void end(@Nullable Kind wanted) {
		this.asked.compareAndSet(wanted, null);
		this.due = System.nanoTime() + this.settings.interval().toNanos();
		this.pauseEnd = System.nanoTime();
		this.cursor = CopyPage.START;
		this.failures = 0;
	}

	/**
	 * It goes on where it was: from the beginning it might never come to an end.
	 */
	private void failed(@Nullable Kind wanted, RuntimeException ex) {
		this.failures++;
		if (this.failures < MAX_FAILURES) {
			logger.debug("The search for sessions without a TTL will go on", ex);
			return;
		}
		logger.warn(
				"The search for sessions without a TTL is given up after {} failures, and begins anew in {}. "
						+ "Look for what Redis does not allow: it needs SCAN, PTTL and HGETALL. The last failure: {}",
				this.failures, this.settings.interval(), ex.getMessage());
		end(wanted);
	}

	/**
	 * Whether another node has done it meanwhile.
	 */
	private boolean isRecent(String lastEnd) {
		long left = lastEnd.matches("\\d{1,18}")
				? Long.parseLong(lastEnd) + this.settings.interval().toMillis() - this.clock.millis() : 0;
		if (left > 0) {
			this.due = System.nanoTime()
					+ Math.min(Duration.ofMillis(left).toNanos(), this.settings.interval().toNanos());
		}
		return left > 0;
	}

	private void audit(boolean dryRun) throws InterruptedException {
		if (this.cursor.equals(CopyPage.START) || dryRun != this.progress.dryRun()) {
			this.cursor = CopyPage.START;
			this.progress = new Progress(true, dryRun, 0, 0, 0, Instant.EPOCH);
		}
		do {
			long began = System.nanoTime();
			ImmortalPage page = this.redisCircuit.call(() -> this.redis.immortal(this.cursor, KEYS));
			int repaired = 0;
			for (String id : page.ids()) {
				boolean given = !dryRun && this.redisCircuit.call(() -> this.redis.limit(id));
				repaired += given ? 1 : 0;
				logger.debug("Session {} had no TTL in Redis", SessionHash.of(id));
				this.listener.onTtlMissing(given);
			}
			this.progress = this.progress.plus(page.size(), page.ids().size(), repaired);
			this.cursor = page.cursor();
			this.failures = 0;
			pause(began);
		}
		while (!this.cursor.equals(CopyPage.START));
		if (this.progress.found() > 0) {
			logger.warn(
					"Of {} sessions in Redis, {} had no TTL; {} have been given one. Other software writes to "
							+ "these keys, or has: find out which, or they come again.",
					this.progress.scanned(), this.progress.found(), this.progress.repaired());
		}
	}

	/**
	 * Wait until so many keys may have been looked at, and keep the lease for as long.
	 * Redis has looked at as many for a page as were asked for, whatever was among them.
	 */
	private void pause(long began) throws InterruptedException {
		long end = began + Duration.ofSeconds(KEYS).dividedBy(this.settings.keysPerSecond()).toNanos();
		do {
			this.thread.pause(Duration.ofNanos(Math.max(0, Math.min(end - System.nanoTime(), RENEWAL.toNanos()))));
			if (System.nanoTime() - this.lastRenewal >= RENEWAL.toNanos()) {
				renew("");
			}
		}
		while (System.nanoTime() - end < 0);
	}

	private void renew(String lastEnd) {
		this.lastRenewal = System.nanoTime();
		if (!this.durableCircuit.call(() -> this.durable.renewLease(LEASE, this.owner, LEASE_TIME, lastEnd))) {
			throw new TierUnavailableException("Another node has taken over the audit", null);
		}
	}

	private void release() {
		try {
			this.durableCircuit.write(() -> this.durable.releaseLease(LEASE, this.owner));
		}
		catch (TierUnavailableException ex) {
			logger.debug("The lease runs out by itself", ex);
		}
	}

	@Override
	public void close() {
		this.thread.stop(MAX_CLOSE);
	}

	/**
	 * What an audit does with what it finds.
	 */
	private enum Kind {

		DRY_RUN, REPAIR

	}

	/**
	 * How far an audit has come.
	 *
	 * @param running whether it goes on
	 * @param dryRun whether it only counts
	 * @param scanned how many sessions it has looked at; one may be among them twice
	 * @param found how many of them had no TTL
	 * @param repaired how many have been given one
	 * @param completed when it was completed; the epoch if it has not been
	 */
	public record Progress(boolean running, boolean dryRun, long scanned, long found, long repaired,
			Instant completed) {

		static final Progress NONE = new Progress(false, false, 0, 0, 0, Instant.EPOCH);

		Progress plus(long moreScanned, long moreFound, long moreRepaired) {
			return new Progress(true, this.dryRun, this.scanned + moreScanned, this.found + moreFound,
					this.repaired + moreRepaired, Instant.EPOCH);
		}

		Progress completed(Instant at) {
			return new Progress(false, this.dryRun, this.scanned, this.found, this.repaired, at);
		}

		Progress stopped() {
			return new Progress(false, this.dryRun, this.scanned, this.found, this.repaired, this.completed);
		}

	}

}

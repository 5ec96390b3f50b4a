package io.github.resilientsession.reconcile;

import java.time.Clock;
import java.time.Duration;
import java.util.List;
import java.util.UUID;

import io.github.resilientsession.circuit.TierCircuit;
import io.github.resilientsession.circuit.TierUnavailableException;
import io.github.resilientsession.durable.DurableTier;
import io.github.resilientsession.durable.RecentPage;
import io.github.resilientsession.flow.SessionFlow;
import io.github.resilientsession.record.SessionRecord;
import io.github.resilientsession.redis.CopyPage;
import io.github.resilientsession.redis.Heartbeat;
import io.github.resilientsession.redis.RedisTier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Makes all of Redis agree with the durable store after Redis has lost data or has got
 * older data back: one node does it for all, under a lease.
 * <p>
 * First every copy that is there is compared with its row; what is older is replaced,
 * what was ended is ended, what only the copy has is persisted. From then on no copy can
 * be older than its row, which is noted in Redis, and every node believes its copies
 * again. Then sessions that Redis has lost are put back, those first that expire last, as
 * long as there is memory to spare. Both halves go page by page with pauses, are due
 * until some node has noted in Redis that they are done, and go on where they were if
 * another node takes over.
 * <p>
 * Copies are compared rather than rows, since what is not in Redis cannot be wrong: an
 * empty Redis is trusted again at once, however many sessions there are.
 */
public final class Resync implements AutoCloseable {

	private static final String LEASE = "resync";

	private static final Duration LEASE_TIME = Duration.ofSeconds(15);

	/**
	 * How often to renew the lease, and to note with it how far this node is: a commit,
	 * and more than one for each page would be.
	 */
	private static final Duration RENEWAL = Duration.ofSeconds(1);

	private static final Duration INTERVAL = Duration.ofMillis(200);

	/**
	 * How long to wait until it is looked again whether there is something to do that is
	 * not urgent: copies with unpersisted writes, while there is a node that goes on
	 * writing them, and sessions to put back, while another node may be doing that.
	 */
	private static final Duration NOTE_INTERVAL = Duration.ofSeconds(5);

	/**
	 * How much longer than a comparison to wait until the next, while there are copies
	 * that cannot be persisted.
	 */
	private static final int WAIT_FACTOR = 10;

	/**
	 * Longer than a node takes from noting that it will write an unpersisted copy until
	 * it has done so.
	 */
	private static final Duration NOTE_AGE = Duration.ofSeconds(2);

	/**
	 * How long to leave the durable store to the users who miss their sessions, before
	 * those are put back that nobody misses yet.
	 */
	private static final Duration CALM = Duration.ofSeconds(2);

	private static final Duration MAX_CLOSE = Duration.ofSeconds(5);

	/**
	 * How many of Redis's keys to look at in one step.
	 */
	private static final int KEYS = 500;

	/**
	 * How many whole sessions to load at a time: so many at first, and then as many as
	 * are of this size together.
	 */
	private static final int MIN_SESSIONS = 100;

	private static final int MAX_SESSIONS = 400;

	private static final long PAGE_BYTES = 4 << 20;

	private static final Logger logger = LoggerFactory.getLogger(Resync.class);

	private final RedisTier redis;

	private final TierCircuit redisCircuit;

	private final DurableTier durable;

	private final TierCircuit durableCircuit;

	private final CopyComparison comparison;

	private final Refill refill;

	private final RecentPages pages;

	private final ResyncSettings settings;

	private final String owner;

	private final Runnable agreed;

	private final Clock clock;

	private final BackgroundThread thread;

	private Duration noteInterval = NOTE_INTERVAL;

	private long lastNoteRun = System.nanoTime() - NOTE_INTERVAL.toNanos();

	private long lastRefill = System.nanoTime();

	private long lastRenewal;

	private String lastNote = "";

	private long lastNoteSeen;

	/**
	 * Where this node was when it gave the lease up.
	 */
	private String givenUpAt = Position.NONE;

	/**
	 * Whether this node may have the lease: after the durable store was down it has,
	 * until it runs out.
	 */
	private volatile boolean leased;

	private volatile boolean requested;

	private volatile Progress progress = Progress.NONE;

	/**
	 * Create a resync, not started.
	 * @param owner the name of this node, which no other has
	 * @param agreed run when all copies agree
	 */
	public Resync(RedisTier redis, TierCircuit redisCircuit, DurableTier durable, TierCircuit durableCircuit,
			SessionFlow flow, RebuildCheck rebuilds, ResyncSettings settings, String owner, Runnable agreed,
			Clock clock) {
		this.redis = redis;
		this.redisCircuit = redisCircuit;
		this.durable = durable;
		this.durableCircuit = durableCircuit;
		this.comparison = new CopyComparison(redis, redisCircuit, durable, durableCircuit, flow.convergence(),
				flow.endedCopies(), flow.writePath());
		this.refill = new Refill(redis, redisCircuit, rebuilds, settings.memoryHeadroom());
		this.pages = new RecentPages(durable, durableCircuit);
		this.settings = settings;
		this.owner = owner;
		this.agreed = agreed;
		this.clock = clock;
		this.thread = new BackgroundThread("resilient-session-resync", "Comparing Redis with the database", INTERVAL,
				this::resyncIfNeeded);
	}

	/**
	 * Start the thread.
	 */
	public void start() {
		this.thread.start();
	}

	/**
	 * Compare Redis with the durable store soon, and put back what is missing, though
	 * nothing says that it has lost anything.
	 */
	public void request() {
		this.requested = true;
	}

	/**
	 * How far the resync is that this node does, or has done last.
	 * @return the progress
	 */
	public Progress progress() {
		return this.progress;
	}

	private void resyncIfNeeded() throws InterruptedException {
		if (this.redisCircuit.isOpen() || this.durableCircuit.isOpen()) {
			return;
		}
		boolean wanted = this.requested;
		boolean lost = wanted || !this.redis.heartbeat().agreed();
		String note = this.redis.heartbeat().unpersistedNote();
		boolean noted = !note.isEmpty() && hasPassed(this.noteInterval, this.lastNoteRun);
		boolean interrupted = !this.redis.heartbeat().refillNote().isEmpty()
				&& hasPassed(NOTE_INTERVAL, this.lastRefill);
		if (!lost && !noted && !interrupted) {
			return;
		}
		boolean sure = isOld(note);
		this.lastRefill = System.nanoTime();
		String left = this.durableCircuit.call(() -> this.durable.acquireLease(LEASE, this.owner, LEASE_TIME));
		if (left == null) {
			// Another node does it; its note in Redis tells when it is done.
			return;
		}
		this.leased = true;
		this.lastRenewal = System.nanoTime();
		this.givenUpAt = Position.NONE;
		try {
			if (lost || noted) {
				compare(left, note, sure, lost);
				if (wanted) {
					this.requested = false;
				}
			}
			if (this.redis.heartbeat().agreed() && !this.redis.heartbeat().refillNote().isEmpty()) {
				refill(this.redis.heartbeat().refillNote(), left);
			}
		}
		finally {
			this.lastRefill = System.nanoTime();
			this.progress = this.progress.ended();
			releaseLease();
		}
	}

	private static boolean hasPassed(Duration duration, long since) {
		return System.nanoTime() - since >= duration.toNanos();
	}

	private void compare(String left, String note, boolean sure, boolean lost) throws InterruptedException {
		this.lastNoteRun = System.nanoTime();
		// Before anything is looked at: what Redis is then may be another.
		Heartbeat.Basis basis = basis();
		Position from = Position.of(left, basis, note, this.clock.millis());
		boolean complete = compareAll(from);
		this.noteInterval = complete ? NOTE_INTERVAL : waitAfter(System.nanoTime() - this.lastNoteRun);
		// Where a node has died half-way, nobody knows whether its part was complete.
		if (complete && sure && from.cursor().equals(CopyPage.START)) {
			this.redisCircuit.write(() -> this.redis.heartbeat().forgetUnpersisted(note));
		}
		else if (!complete && note.isEmpty()) {
			noteUnpersisted();
		}
		if (lost && this.redisCircuit.call(() -> this.redis.heartbeat().agree(basis, this.clock.millis()))) {
			this.agreed.run();
		}
	}

	private static Duration waitAfter(long nanos) {
		Duration wait = Duration.ofNanos(nanos).multipliedBy(WAIT_FACTOR);
		return (wait.compareTo(NOTE_INTERVAL) > 0) ? wait : NOTE_INTERVAL;
	}

	/**
	 * Let the copies be looked at again, also by another node.
	 */
	private void noteUnpersisted() {
		try {
			this.redisCircuit.write(() -> this.redis.heartbeat().noteUnpersisted(UUID.randomUUID().toString()));
		}
		catch (TierUnavailableException ex) {
			logger.debug("Redis has no room to note that there are copies to be persisted", ex);
		}
	}

	/**
	 * Whether what a note announces must be in Redis by now, if it ever will be: the note
	 * comes first.
	 */
	private boolean isOld(String note) {
		if (!note.equals(this.lastNote)) {
			this.lastNote = note;
			this.lastNoteSeen = System.nanoTime();
		}
		return System.nanoTime() - this.lastNoteSeen > NOTE_AGE.toNanos();
	}

	/**
	 * @return whether all unpersisted copies could be persisted
	 */
	private boolean compareAll(Position from) throws InterruptedException {
		this.progress = new Progress(true, 0, 0, 0);
		String cursor = from.cursor();
		boolean complete = true;
		do {
			long began = System.nanoTime();
			if (!basis().equals(from.basis())) {
				throw new TierUnavailableException("Redis has been replaced, or a node has come from another one",
						null);
			}
			String at = cursor;
			CopyPage page = this.redisCircuit.call(() -> this.redis.scan(at, KEYS));
			if (!page.ids().isEmpty()) {
				CopyComparison.Compared compared = this.comparison.compare(page.ids());
				complete &= compared.complete();
				this.progress = this.progress.plusCompared(page.ids().size(), compared.differed());
			}
			cursor = page.cursor();
			// Other software's keys cost little, but there may be millions.
			pause(Math.max(page.ids().size(), KEYS / 10), began, from.at(cursor, this.clock.millis()).text());
		}
		while (!cursor.equals(CopyPage.START));
		if (this.progress.compared() > 0) {
			logger.info("Compared {} copies in Redis with the durable store; {} were older and have been replaced.",
					this.progress.compared(), this.progress.repaired());
		}
		return complete;
	}

	private Heartbeat.Basis basis() {
		return this.redisCircuit.call(this.redis.heartbeat()::basis);
	}

	/**
	 * Put sessions back that Redis has lost.
	 * @param note the note that this is to be done, taken back when it is
	 * @param left where the last node was that did so, if any
	 */
	private void refill(String note, String left) throws InterruptedException {
		RecentPage.Position position = RefillPosition.of(left, note);
		this.progress = this.progress.refilling();
		if (position == null) {
			renew(Position.NONE);
			pause(CALM);
		}
		else {
			this.givenUpAt = RefillPosition.text(position, note);
		}
		boolean room;
		this.pages.begin(position, MIN_SESSIONS);
		do {
			long began = System.nanoTime();
			RecentPage page = this.pages.await();
			position = page.next();
			if (position != null) {
				this.pages.begin(position, nextSize(page.sessions()));
			}
			room = this.refill.putBack(page.sessions(), (put) -> this.progress = this.progress.plusPutBack(put));
			if (position != null) {
				this.givenUpAt = RefillPosition.text(position, note);
				pause(page.sessions().size(), began, this.givenUpAt);
			}
		}
		while (room && position != null && this.redis.heartbeat().agreed());
		if (room && position != null) {
			// Redis has to be compared again, for which users wait. The note stays.
			return;
		}
		if (!room) {
			logger.info(
					"Stopped putting sessions back into Redis after {}: more would leave less than {} of its memory "
							+ "free. The others come back when they are used.",
					this.progress.putBack(), this.settings.memoryHeadroom());
		}
		else if (this.progress.putBack() > 0) {
			logger.info("Put {} sessions back into Redis.", this.progress.putBack());
		}
		this.givenUpAt = Position.NONE;
		this.redisCircuit.write(() -> this.redis.heartbeat().forgetRefill(note));
	}

	/**
	 * As many as fit, if the next ones are like those of the last page, but no more than
	 * are allowed in a fifth of a second.
	 */
	private int nextSize(List<SessionRecord> page) {
		long bytes = page.stream().mapToLong(SessionRecord::attributeBytes).sum();
		long fitting = Math.min(PAGE_BYTES * page.size() / Math.max(1, bytes), this.settings.sessionsPerSecond() / 5);
		return (int) Math.min(MAX_SESSIONS, Math.max(MIN_SESSIONS, fitting));
	}

	/**
	 * Say that this node is still at it, and where.
	 */
	private void renew(String position) {
		this.lastRenewal = System.nanoTime();
		if (!this.durableCircuit.call(() -> this.durable.renewLease(LEASE, this.owner, LEASE_TIME, position))) {
			throw new TierUnavailableException("Another node has taken over the resync", null);
		}
	}

	/**
	 * Renew the lease unless that was just now. Another node takes it over only after
	 * {@link #LEASE_TIME}.
	 */
	private void renewIfDue(String position) {
		if (hasPassed(RENEWAL, this.lastRenewal)) {
			renew(position);
		}
	}

	private void releaseLease() {
		try {
			// Of a comparison, only a node that dies leaves its position behind.
			this.durableCircuit.call(() -> this.durable.renewLease(LEASE, this.owner, LEASE_TIME, this.givenUpAt));
			this.durableCircuit.write(() -> this.durable.releaseLease(LEASE, this.owner));
			this.leased = false;
		}
		catch (TierUnavailableException ex) {
			logger.debug("The lease runs out by itself", ex);
		}
	}

	/**
	 * Wait until so many sessions may have been looked at, and keep the lease for as
	 * long.
	 * @param began when that began, by {@link System#nanoTime()}
	 * @param position what to note where this node is
	 */
	private void pause(int sessions, long began, String position) throws InterruptedException {
		long end = began + Duration.ofSeconds(sessions).dividedBy(this.settings.sessionsPerSecond()).toNanos();
		renewIfDue(position);
		for (long left = end - System.nanoTime(); left > 0; left = end - System.nanoTime()) {
			pause(Duration.ofNanos(Math.min(left, RENEWAL.toNanos())));
			renewIfDue(position);
		}
	}

	private void pause(Duration duration) throws InterruptedException {
		this.thread.pause(duration);
	}

	@Override
	public void close() {
		this.thread.stop(MAX_CLOSE);
		if (this.leased) {
			releaseLease();
		}
		this.pages.close();
	}

	/**
	 * How far a resync has come.
	 *
	 * @param running whether it goes on
	 * @param compared copies that have been compared
	 * @param repaired copies of these that were older, ended or unpersisted
	 * @param putBack sessions that have been put back into Redis
	 */
	public record Progress(boolean running, long compared, long repaired, long putBack) {

		static final Progress NONE = new Progress(false, 0, 0, 0);

		Progress plusCompared(long more, long moreRepaired) {
			return new Progress(true, this.compared + more, this.repaired + moreRepaired, this.putBack);
		}

		Progress refilling() {
			return this.running ? this : new Progress(true, 0, 0, 0);
		}

		Progress plusPutBack(long more) {
			return new Progress(true, this.compared, this.repaired, this.putBack + more);
		}

		Progress ended() {
			return new Progress(false, this.compared, this.repaired, this.putBack);
		}

	}

	/**
	 * Where a comparison is, for the node that goes on with it.
	 *
	 * @param basis what it is about
	 * @param note the note of unpersisted writes that it is about
	 * @param cursor where in Redis's keys it is
	 * @param at when it was there, in milliseconds since the epoch: only what its node
	 * has just left is gone on with
	 */
	private record Position(Heartbeat.Basis basis, String note, String cursor, long at) {

		private static final String NONE = "";

		static Position of(String text, Heartbeat.Basis basis, String note, long now) {
			Position start = new Position(basis, note, CopyPage.START, now);
			String[] parts = text.split(" ", -1);
			return (parts.length == 5 && parts[4].matches("\\d{1,18}")
					&& start.at(parts[3], Long.parseLong(parts[4])).text().equals(text)
					&& now - Long.parseLong(parts[4]) < 4 * LEASE_TIME.toMillis()) ? start.at(parts[3], now) : start;
		}

		Position at(String nextCursor, long now) {
			return new Position(this.basis, this.note, nextCursor, now);
		}

		String text() {
			return String.join(" ", this.basis.incarnation(), this.basis.noted(), this.note, this.cursor,
					Long.toString(this.at));
		}

	}

	/**
	 * Where a refill is, for the node that goes on with it.
	 */
	private static final class RefillPosition {

		private static RecentPage.@Nullable Position of(String text, String note) {
			String[] parts = text.split(" ", -1);
			return (parts.length == 4 && parts[0].equals("refill") && parts[1].equals(note)
					&& parts[2].matches("\\d{1,18}")) ? new RecentPage.Position(Long.parseLong(parts[2]), parts[3])
							: null;
		}

		private static String text(RecentPage.Position position, String note) {
			return String.join(" ", "refill", note, Long.toString(position.expiresAt()), position.id());
		}

	}

}

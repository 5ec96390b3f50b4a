package io.github.resilientsession.checker;

import java.util.ArrayList;
import java.util.List;

/**
 * The life of a session under one id, from the acknowledgement that it has the id until
 * that it has it no more.
 */
final class Life {

	private final ClientSession session;

	private final String id;

	private final Ack begun;

	private final Life origin;

	/**
	 * What has given the session this id and, by earlier changes, those before it.
	 */
	private final List<Ack> changes;

	/**
	 * When somebody began to end it.
	 */
	private volatile long endingSince = Long.MAX_VALUE;

	/**
	 * When it was first acknowledged that the database has it.
	 */
	private volatile long persistedAt = Long.MAX_VALUE;

	private volatile Ack ended;

	private LastAccess lastAccess = new LastAccess(0, 0, 0);

	/**
	 * Judged already: nothing is expected of this id any more.
	 */
	private volatile boolean writtenOff;

	Life(ClientSession session, String id, Ack begun) {
		this(session, id, begun, null, List.of());
	}

	/**
	 * The life under a new id that follows this one.
	 */
	Life changedTo(String newId, Ack change) {
		return new Life(this.session, newId, change, null, withChange(change));
	}

	/**
	 * The life under a new id that may follow this one, if the change happened that
	 * nobody has acknowledged.
	 */
	Life perhapsChangedTo(String newId, Ack change) {
		return new Life(this.session, newId, change, this, withChange(change));
	}

	private Life(ClientSession session, String id, Ack begun, Life origin, List<Ack> changes) {
		this.session = session;
		this.id = id;
		this.begun = begun;
		this.origin = origin;
		this.changes = changes;
	}

	private List<Ack> withChange(Ack change) {
		List<Ack> all = new ArrayList<>(this.changes);
		all.add(change);
		return all;
	}

	/**
	 * The changes of id that led to it.
	 */
	List<Ack> changes() {
		return this.changes;
	}

	/**
	 * Whether all that was ever acknowledged of its beginning is taken back.
	 */
	boolean isTakenBack(Timeline timeline, long at) {
		return !wasPersisted(at)
				&& (timeline.isTakenBack(this.begun) || (this.origin != null && this.origin.isTakenBack(timeline, at)));
	}

	ClientSession session() {
		return this.session;
	}

	String id() {
		return this.id;
	}

	Ack begun() {
		return this.begun;
	}

	/**
	 * Somebody is about to end it: from now on it may be absent.
	 */
	void ending(long now) {
		this.endingSince = now;
	}

	boolean isEnding() {
		return this.endingSince != Long.MAX_VALUE;
	}

	/**
	 * Whether somebody had begun to end it at a time.
	 */
	boolean wasEnding(long at) {
		return this.endingSince <= at;
	}

	/**
	 * It turned out not to have ended, though it was tried.
	 */
	void goesOn() {
		this.endingSince = Long.MAX_VALUE;
	}

	/**
	 * A write was acknowledged, and not with the reserve that only Redis has it.
	 */
	synchronized void persisted(Ack ack) {
		this.persistedAt = Math.min(this.persistedAt, ack.at());
	}

	/**
	 * Whether the database had it at a time: from then on Redis may lose what it wants.
	 */
	boolean wasPersisted(long at) {
		return this.persistedAt < at;
	}

	void ended(Ack ack) {
		this.endingSince = Math.min(this.endingSince, ack.began());
		this.ended = ack;
	}

	/**
	 * The acknowledgement of its end, or {@code null}.
	 */
	Ack ended() {
		return this.ended;
	}

	/**
	 * Keep the latest access that a read has seen.
	 * @return what was kept before
	 */
	synchronized LastAccess seen(LastAccess seen) {
		LastAccess before = this.lastAccess;
		if (seen.millis() > before.millis()) {
			this.lastAccess = seen;
		}
		return before;
	}

	void writeOff() {
		this.writtenOff = true;
	}

	boolean isWrittenOff() {
		return this.writtenOff;
	}

	/**
	 * A last access, as a read has seen it.
	 *
	 * @param millis since the epoch
	 * @param began when the read began
	 * @param ended when it returned
	 */
	record LastAccess(long millis, long began, long ended) {

	}

}

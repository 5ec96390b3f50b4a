package io.github.resilientsession.checker;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;

import io.github.resilientsession.SessionNode;

import io.github.resilientsession.checker.Life.LastAccess;

/**
 * Compares what the nodes answer with what they have acknowledged. Safe for use by many
 * threads.
 * <p>
 * The rules. Every attribute but one has one writer, who counts upwards. Once a value is
 * acknowledged, a read that begins later must see it or a higher one, and never one that
 * nobody tried to write. Of the attribute with two writers, no value must be seen that
 * was overwritten by a write which began after its acknowledgement. A write that failed,
 * or that overlaps with the end of its session, is in doubt: it may be seen or not, now
 * and later. An id that was acknowledged to be dead must not be found by a read that
 * begins later; a session that nobody has begun to end must not be absent. What a node
 * refuses with "unavailable" is allowed.
 */
final class Judge {

	/**
	 * How long a node may read the old state of a session while another node that wrote
	 * it is cut off from Redis.
	 */
	static final Duration STALENESS_BOUND = Duration.ofSeconds(3);

	/**
	 * How long an older state may stay that has filled the gap of a copy which Redis has
	 * lost.
	 */
	static final Duration GAP_BOUND = SessionNode.RECONCILE_INTERVAL.plus(SessionNode.REDIS_TIME_LIMIT.multipliedBy(2))
		.plus(Limits.SCHEDULING);

	static final String STALE = "stale within the bound: reads";

	static final String STALE_ENDED = "stale within the bound: reads of ended sessions";

	static final String TAKEN_BACK = "at the stated limit: ";

	/**
	 * One node kept a write in Redis only, and another did not see Redis.
	 */
	static final String APART = "at the stated limit, nodes that could not see each other: ";

	private final Timeline timeline;

	private final Figures figures;

	private final Findings findings;

	Judge(Timeline timeline, Figures figures, Findings findings) {
		this.timeline = timeline;
		this.figures = figures;
		this.findings = findings;
	}

	/**
	 * A read found nothing.
	 * @param node who was asked
	 * @param blind whether it did not get through to Redis
	 * @param ended when it returned
	 */
	void absent(Life life, int node, boolean blind, long began, long ended) {
		if (life.isEnding() || life.isWrittenOff()) {
			return;
		}
		boolean persisted = life.wasPersisted(began);
		if (life.isTakenBack(this.timeline, began)) {
			takenBack(life, "sessions or ids created");
			life.writeOff();
			return;
		}
		if (!persisted && this.timeline.couldNotKnow(life.begun(), node, blind, began)) {
			this.figures.count(APART + "absent");
			return;
		}
		this.findings.violation(ViolationKind.FALSE_LOGOUT, life, ended, ended,
				"the live session was reported as absent", "");
		life.writeOff();
	}

	/**
	 * A read found the session.
	 * @param node who was asked
	 * @param blind whether it did not get through to Redis
	 * @param values the attributes that it read, by name; 0 for one that is not there
	 * @param settled whether everything had healed long before the read
	 */
	void found(Life life, int node, boolean blind, long began, long ended, Function<String, Long> values,
			boolean settled) {
		if (life.isWrittenOff()) {
			return;
		}
		Ack death = life.ended();
		if (death != null && death.at() < began) {
			foundDead(life, node, blind, death, began, ended);
			return;
		}
		for (Register register : life.session().registers()) {
			long stored = values.apply(register.name());
			if (!register.wasAttempted(stored)) {
				this.findings.violation(ViolationKind.ROLLBACK, life, began, ended,
						register.name() + " is " + stored + ", which nobody has written", register.name() + stored);
			}
			old(life, node, blind, register, register.seen(stored), began, ended, settled);
		}
	}

	/**
	 * A read has seen a last access. It never moves backwards, unless Redis lost a later
	 * one that the database is told of in time for the session to live on.
	 */
	void lastAccess(Life life, LastAccess seen) {
		LastAccess before = life.seen(seen);
		if (seen.millis() < before.millis() && before.ended() < seen.began()
				&& this.timeline.redisWasWhole(before.began() - STALENESS_BOUND.toNanos(), seen.ended())) {
			this.findings
				.violation(ViolationKind.ROLLBACK, life, before.began(), seen.ended(),
						"the last access is " + (before.millis() - seen.millis())
								+ " ms before the one that a read saw at " + Findings.seconds(before.ended()),
						"last access");
		}
	}

	private void foundDead(Life life, int node, boolean blind, Ack death, long began, long ended) {
		if (this.timeline.isTakenBack(death)) {
			takenBack(life, "sessions or ids ended");
			life.writeOff();
		}
		else if (this.timeline.couldNotKnow(death, node, blind, began)) {
			this.figures.count(APART + "found after its end");
		}
		else if (isWithinBound(death, began, ended)) {
			this.figures.count(STALE_ENDED);
			stale(death, began);
		}
		else {
			this.findings.violation(ViolationKind.RESURRECTION, life, began, ended,
					"it was found " + Findings.seconds(began - death.at())
							+ " after the acknowledgement of its end by node " + death.node() + " (asked for at "
							+ Findings.seconds(death.began()) + ")",
					"");
		}
	}

	private void old(Life life, int node, boolean blind, Register register, long value, long began, long ended,
			boolean settled) {
		List<Ack> missing = new ArrayList<>(register.missing(value, began));
		List<Ack> judged = missing.stream().filter(this.timeline::isTakenBack).toList();
		if (!judged.isEmpty()) {
			register.forget(judged);
			judged.forEach((ack) -> takenBack(life, "writes"));
			missing.removeAll(judged);
		}
		List<Ack> overwritten = missing.stream()
			.filter((ack) -> this.timeline.mayBeOverwritten(ack, register.overwriting(value), life.changes()))
			.toList();
		register.forget(overwritten);
		overwritten.forEach((ack) -> this.figures.count(APART + "overwritten"));
		missing.removeAll(overwritten);
		if (missing.isEmpty()) {
			return;
		}
		if (!settled && missing.removeIf((ack) -> this.timeline.couldNotTakeAlong(ack, life.changes()))) {
			this.figures.count(APART + "not taken along yet by a change of id");
		}
		missing.removeIf((ack) -> this.timeline.couldNotKnow(ack, node, blind, began));
		if (missing.isEmpty()) {
			this.figures.count(APART + "old");
			return;
		}
		Ack oldest = missing.get(0);
		if (!settled && missing.stream().allMatch((ack) -> isWithinBound(ack, began, ended))) {
			this.figures.count(STALE);
			stale(oldest, began);
			return;
		}
		this.findings.violation(settled ? ViolationKind.LOST_WRITE : ViolationKind.ROLLBACK, life, oldest.began(),
				ended,
				register.name() + " is " + value + ", but " + oldest.value() + " was acknowledged by node "
						+ oldest.node() + " at " + Findings.seconds(oldest.at()) + ", "
						+ Findings.seconds(began - oldest.at()) + " before the read began"
						+ (oldest.unpersisted() ? " (kept in Redis only)" : "")
						+ ((missing.size() > 1) ? "; " + missing.size() + " acknowledged values are missing" : ""),
				register.name());
	}

	private void stale(Ack ack, long began) {
		this.figures.highest("stale within the bound: longest after the write, ms", (began - ack.at()) / 1_000_000);
		this.figures.highest("stale within the bound: longest while a node could tell, ms",
				(began - this.timeline.toldSince(ack.at(), began)) / 1_000_000);
	}

	private boolean isWithinBound(Ack ack, long began, long ended) {
		long told = this.timeline.toldSince(ack.at(), began);
		long filled = Math.max(told, this.timeline.gapFilledBy(ack.at()));
		return (!this.timeline.isOver(STALENESS_BOUND, told, began) && this.timeline.wasCutOffFromRedis(ack))
				|| (!this.timeline.isOver(GAP_BOUND, filled, began)
						&& this.timeline.redisLostCopies(ack.began(), ended));
	}

	private void takenBack(Life life, String what) {
		this.figures.count(TAKEN_BACK + what);
	}

}

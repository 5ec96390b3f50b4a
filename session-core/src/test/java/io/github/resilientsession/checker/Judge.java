package io.github.resilientsession.checker;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Function;

import io.github.resilientsession.record.SessionHash;

/**
 * Compares what the nodes answer with what they have acknowledged. Safe for use by many
 * threads.
 * <p>
 * The rules. Every attribute has one writer, who counts upwards. Once a value is
 * acknowledged, a read that begins later must see it or a higher one, and never one that
 * nobody tried to write. A write that failed, or that overlaps with the end of its
 * session, is in doubt: it may be seen or not, now and later. An id that was acknowledged
 * to be dead must not be found by a read that begins later; a session that nobody has
 * begun to end must not be absent. What a node refuses with "unavailable" is allowed.
 */
final class Judge {

	/**
	 * How long a node may read the old state of a session while another node that wrote
	 * it is cut off from Redis.
	 */
	static final Duration STALENESS_BOUND = Duration.ofSeconds(3);

	static final String STALE = "stale within the bound: reads";

	static final String STALE_ENDED = "stale within the bound: reads of ended sessions";

	static final String TAKEN_BACK = "at the stated limit: ";

	/**
	 * One node kept a write in Redis only, and another did not see Redis.
	 */
	static final String APART = "at the stated limit, nodes that could not see each other: ";

	private final Timeline timeline;

	private final Figures figures;

	private final List<Violation> violations = new CopyOnWriteArrayList<>();

	private final Set<String> reported = ConcurrentHashMap.newKeySet();

	Judge(Timeline timeline, Figures figures) {
		this.timeline = timeline;
		this.figures = figures;
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
		if (!persisted && this.timeline.isTakenBack(life.begun())) {
			takenBack(life, "sessions or ids created");
			life.writeOff();
			return;
		}
		if (!persisted && this.timeline.couldNotKnow(life.begun(), node, blind, began)) {
			this.figures.count(APART + "absent");
			return;
		}
		violation(ViolationKind.FALSE_LOGOUT, life, ended, ended, "the live session was reported as absent", "");
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
			long value = values.apply(register.name());
			if (!register.wasAttempted(value)) {
				violation(ViolationKind.ROLLBACK, life, began, ended,
						register.name() + " is " + value + ", which nobody has written", register.name() + value);
			}
			old(life, node, blind, register, value, began, ended, settled);
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
		else if (isWithinBound(death, began)) {
			this.figures.count(STALE_ENDED);
			this.figures.highest("stale within the bound: longest, ms", (began - death.at()) / 1_000_000);
		}
		else {
			violation(ViolationKind.RESURRECTION, life, began, ended,
					"it was found " + seconds(began - death.at()) + " after the acknowledgement of its end by node "
							+ death.node() + " (asked for at " + seconds(death.began()) + ")",
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
			.filter((ack) -> this.timeline.mayBeOverwritten(ack, register.acks()))
			.toList();
		register.forget(overwritten);
		overwritten.forEach((ack) -> this.figures.count(APART + "overwritten"));
		missing.removeAll(overwritten);
		if (missing.isEmpty()) {
			return;
		}
		missing.removeIf((ack) -> this.timeline.couldNotKnow(ack, node, blind, began));
		if (missing.isEmpty()) {
			this.figures.count(APART + "old");
			return;
		}
		Ack oldest = missing.get(0);
		if (!settled && missing.stream().allMatch((ack) -> isWithinBound(ack, began))) {
			this.figures.count(STALE);
			this.figures.highest("stale within the bound: longest, ms", (began - oldest.at()) / 1_000_000);
			return;
		}
		violation(settled ? ViolationKind.LOST_WRITE : ViolationKind.ROLLBACK, life, oldest.began(), ended,
				register.name() + " is " + value + ", but " + oldest.value() + " was acknowledged by node "
						+ oldest.node() + " at " + seconds(oldest.at()) + ", " + seconds(began - oldest.at())
						+ " before the read began" + (oldest.unpersisted() ? " (kept in Redis only)" : "")
						+ ((missing.size() > 1) ? "; " + missing.size() + " acknowledged values are missing" : ""),
				register.name());
	}

	private boolean isWithinBound(Ack ack, long began) {
		return began - ack.at() <= STALENESS_BOUND.toNanos() && this.timeline.wasCutOffFromRedis(ack);
	}

	private void takenBack(Life life, String what) {
		this.figures.count(TAKEN_BACK + what);
	}

	/**
	 * A call took too long.
	 */
	void slow(Life life, String what, long began, long ended, Duration limit) {
		violation(ViolationKind.SLOW, life, began, ended,
				what + " took " + seconds(ended - began) + ", more than the limit of " + limit.toMillis() + " ms",
				what + began);
	}

	void unexpected(Life life, String what, long began, long ended, Throwable failure) {
		StackTraceElement[] trace = failure.getStackTrace();
		violation(ViolationKind.UNEXPECTED_FAILURE, life, began, ended,
				what + " threw " + failure + ((trace.length > 0) ? " at " + trace[0] : ""), "");
	}

	void notServed(Life life, int node, long since, long until, String last) {
		violation(ViolationKind.NOT_SERVED, life, since, until,
				"node " + node + " did not serve it within " + seconds(until - since) + " of the healing: " + last,
				"" + node + since);
	}

	/**
	 * A node does not use a store again that works.
	 */
	void cutOff(int node, String store, long since, long until) {
		if (this.reported.add("cut off" + node + store + since)) {
			this.figures.count("violations: " + ViolationKind.NOT_SERVED);
			this.violations.add(new Violation(ViolationKind.NOT_SERVED, until,
					"node " + node + " still cuts " + store + " off " + seconds(until - since) + " after the healing",
					this.timeline.faultsOf(since, until), List.of()));
		}
	}

	void keyWithoutTtl(String key) {
		long now = this.timeline.now();
		if (this.reported.add(ViolationKind.KEY_WITHOUT_TTL + key)) {
			this.figures.count("violations: " + ViolationKind.KEY_WITHOUT_TTL);
			String hash = SessionHash.of(key.substring(key.lastIndexOf(':') + 1));
			this.violations.add(new Violation(ViolationKind.KEY_WITHOUT_TTL, now, "the key of " + hash + " has no TTL",
					this.timeline.faultsOf(now - 2_000_000_000L, now), List.of()));
		}
	}

	/**
	 * Report once, however often it is seen.
	 */
	private void violation(ViolationKind kind, Life life, long from, long to, String what, String detail) {
		if (!this.reported.add(kind + life.id() + detail)) {
			return;
		}
		this.figures.count("violations: " + kind);
		this.violations.add(new Violation(kind, to, "session " + SessionHash.of(life.id()) + ": " + what,
				this.timeline.faultsOf(from - 1_000_000_000L, to), life.session().history()));
	}

	List<Violation> violations() {
		return this.violations;
	}

	private static String seconds(long nanos) {
		return String.format(java.util.Locale.ROOT, "%.3f s", nanos / 1e9);
	}

}

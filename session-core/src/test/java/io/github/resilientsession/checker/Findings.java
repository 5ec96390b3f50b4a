package io.github.resilientsession.checker;

import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Supplier;

import io.github.resilientsession.record.SessionHash;

/**
 * The violations of a run, each reported once however often it is seen. Safe for use by
 * many threads.
 */
final class Findings {

	private final Timeline timeline;

	private final Figures figures;

	private final List<Violation> violations = new CopyOnWriteArrayList<>();

	private final Set<String> reported = ConcurrentHashMap.newKeySet();

	Findings(Timeline timeline, Figures figures) {
		this.timeline = timeline;
		this.figures = figures;
	}

	List<Violation> violations() {
		return this.violations;
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
		violation(ViolationKind.NOT_SERVED, since, until,
				"node " + node + " still cuts " + store + " off " + seconds(until - since) + " after the healing",
				"cut off" + node + store + since);
	}

	/**
	 * The stores, and what the nodes think of them, do not agree though nothing is wrong.
	 */
	void notConverged(long since, long until, String what) {
		violation(ViolationKind.NOT_CONVERGED, since, until,
				what + ", " + seconds(until - since) + " after the healing", what);
	}

	void keyWithoutTtl(String key) {
		long now = this.timeline.now();
		String hash = SessionHash.of(key.substring(key.lastIndexOf(':') + 1));
		violation(ViolationKind.KEY_WITHOUT_TTL, now - 2_000_000_000L, now, "the key of " + hash + " has no TTL", key);
	}

	/**
	 * The check cannot be relied upon.
	 */
	void checkFailed(String what) {
		long now = this.timeline.now();
		violation(ViolationKind.CHECK_FAILED, now, now, what, what);
	}

	private void violation(ViolationKind kind, long from, long to, String what, String detail) {
		report(kind, detail, () -> new Violation(kind, to, what, this.timeline.faultsOf(from, to), List.of()));
	}

	void violation(ViolationKind kind, Life life, long from, long to, String what, String detail) {
		report(kind, life.id() + detail,
				() -> new Violation(kind, to, "session " + SessionHash.of(life.id()) + ": " + what,
						this.timeline.faultsOf(from - 1_000_000_000L, to), life.session().history()));
	}

	private void report(ViolationKind kind, String detail, Supplier<Violation> violation) {
		if (this.reported.add(kind + detail)) {
			this.figures.count("violations: " + kind);
			this.violations.add(violation.get());
		}
	}

	static String seconds(long nanos) {
		return String.format(Locale.ROOT, "%.3f s", nanos / 1e9);
	}

}

package io.github.resilientsession.checker;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.stream.IntStream;
import java.util.stream.Stream;

import io.github.resilientsession.SessionNode;

/**
 * What was wrong when: which faults were active, which node had cut a store off, and when
 * Redis lost data. Times are nanoseconds since the beginning. Safe for use by many
 * threads.
 */
final class Timeline {

	/**
	 * How long a node may take to persist what only Redis had, while it reaches both
	 * stores without a break: the pass that does so runs once per reconcile interval,
	 * which is far below a second.
	 */
	private static final Duration PERSISTING = Duration.ofSeconds(2);

	/**
	 * How long it may take until another node persists what one has left behind that was
	 * killed: its lease to compare the copies has to run out, and the others look every
	 * few seconds.
	 */
	private static final Duration PERSISTING_FOR_ANOTHER = Duration.ofSeconds(25);

	/**
	 * Stands for every node.
	 */
	static final int ALL_NODES = -1;

	private final int nodes;

	private final long start = System.nanoTime();

	private final List<Period> faults = new CopyOnWriteArrayList<>();

	private final List<Period> redisCutOff = new CopyOnWriteArrayList<>();

	/**
	 * When writes were refused, at least some.
	 */
	private final List<Period> databaseDown = new CopyOnWriteArrayList<>();

	/**
	 * When not even reads were answered.
	 */
	private final List<Period> databaseAway = new CopyOnWriteArrayList<>();

	private final List<Period> nodeDown = new CopyOnWriteArrayList<>();

	private final List<Crash> crashes = new CopyOnWriteArrayList<>();

	private final List<Loss> losses = new CopyOnWriteArrayList<>();

	private final Queue<Hiccup> hiccups = new ConcurrentLinkedQueue<>();

	Timeline(int nodes) {
		this.nodes = nodes;
	}

	long now() {
		return System.nanoTime() - this.start;
	}

	/**
	 * The machine kept everybody waiting.
	 */
	void hiccup(long from, long to) {
		this.hiccups.add(new Hiccup(from, to));
	}

	/**
	 * How long the machine kept everybody waiting, of a time in which something should
	 * have happened.
	 * @return nanoseconds
	 */
	long hiccups(long from, long to) {
		return this.hiccups.stream()
			.mapToLong((hiccup) -> Math.max(0, Math.min(hiccup.to(), to) - Math.max(hiccup.from(), from)))
			.sum();
	}

	/**
	 * Whether something has taken longer than it may. Where the machine kept everybody
	 * waiting, it may take so much longer, but never twice as long.
	 * @param since when it began
	 * @param until when it ended, or now
	 */
	boolean isOver(Duration limit, long since, long until) {
		long over = until - since - limit.toNanos();
		return over > limit.toNanos() || (over > 0 && over > hiccups(since, until));
	}

	Period fault(String what) {
		return open(this.faults, ALL_NODES, what);
	}

	Period redisCutOff(int node) {
		return open(this.redisCutOff, node, "Redis cut off");
	}

	/**
	 * A node is killed, and forgets everything.
	 */
	Period crashed(int node) {
		this.crashes.add(new Crash(node, now()));
		return open(this.nodeDown, node, "down");
	}

	Period databaseAway(int node) {
		return open(this.databaseAway, node, "database away");
	}

	Period databaseDown(int node) {
		return open(this.databaseDown, node, "database down");
	}

	private Period open(List<Period> periods, int node, String what) {
		Period period = new Period(node, what, now());
		periods.add(period);
		return period;
	}

	/**
	 * Redis loses what was written after a certain time, from now until that is ended.
	 */
	Loss redisLoses(long writtenAfter) {
		Loss loss = new Loss(writtenAfter, now());
		this.losses.add(loss);
		return loss;
	}

	/**
	 * Whether the stated bound for stale reads applies: the node that gave the
	 * acknowledgement did not talk to Redis meanwhile.
	 */
	boolean wasCutOffFromRedis(Ack ack) {
		return ack.blind() || this.redisCutOff.stream()
			.anyMatch((period) -> period.concerns(ack.node()) && period.meets(ack.began(), ack.at()));
	}

	/**
	 * Since when there have been nodes, at each moment at least one, that could find out
	 * from the database what Redis had missed, and tell it.
	 * @param from the earliest answer
	 * @param to the latest answer: if there is none then
	 */
	long toldSince(long from, long to) {
		if (nobodyCanTell(to)) {
			return to;
		}
		return Stream.of(this.redisCutOff, this.databaseAway, this.nodeDown)
			.flatMap(List::stream)
			.mapToLong((period) -> period.to)
			.filter((end) -> end > from && end <= to && nobodyCanTell(end - 1))
			.reduce(from, Math::max);
	}

	private boolean nobodyCanTell(long at) {
		return IntStream.range(0, this.nodes)
			.allMatch((node) -> Stream.of(this.redisCutOff, this.databaseAway, this.nodeDown)
				.flatMap(List::stream)
				.anyMatch((period) -> period.concerns(node) && period.meets(at, at)));
	}

	/**
	 * Whether Redis lost copies or tombstones, but got no older ones back.
	 */
	boolean redisLostCopies(long from, long to) {
		return this.losses.stream()
			.anyMatch((loss) -> loss.writtenAfter == Long.MIN_VALUE && loss.from <= to && loss.to >= from);
	}

	/**
	 * Until when a copy that Redis has lost may get an older state in its place: a node
	 * for which the database is away may have been on the way with that, and get the
	 * answer late.
	 * @param acked when the newer state was acknowledged
	 */
	long gapFilledBy(long acked) {
		return this.databaseAway.stream()
			.filter((period) -> period.meets(acked, acked))
			.mapToLong((period) -> Math.min(period.to, plus(acked, SessionNode.DURABLE_TIME_LIMIT)))
			.max()
			.orElse(acked);
	}

	/**
	 * Whether every node that ran used one and the same Redis throughout, which lost
	 * nothing.
	 */
	boolean redisWasWhole(long from, long to) {
		return this.redisCutOff.stream().noneMatch((period) -> period.meets(from, to))
				&& this.losses.stream().noneMatch((loss) -> loss.from <= to && loss.to >= from)
				// Then nodes delete the copies that they cannot replace.
				&& this.faults.stream()
					.noneMatch((fault) -> fault.what.startsWith(FaultKind.REDIS_OUT_OF_MEMORY.name())
							&& fault.meets(from, to));
	}

	/**
	 * Whether an acknowledgement is one that the stated limit takes back: the node said
	 * that only Redis has it, and Redis lost it before it was persisted.
	 */
	boolean isTakenBack(Ack ack) {
		if (!ack.unpersisted()) {
			return false;
		}
		long persisted = persistedAt(ack);
		return this.losses.stream()
			.anyMatch((loss) -> loss.to >= ack.began() && loss.from <= persisted && ack.at() >= loss.writtenAfter);
	}

	/**
	 * Whether a node that did not get through to Redis could not know of an
	 * acknowledgement, by the stated limit: another node had given it and kept it in
	 * Redis only, and it was not persisted yet. A node that was killed in between counts
	 * as another.
	 */
	boolean couldNotKnow(Ack ack, int node, boolean blind, long at) {
		boolean other = node != ack.node() || this.crashes.stream()
			.anyMatch((crash) -> crash.node == node && crash.at >= ack.began() && crash.at <= at);
		return other && blind && ack.unpersisted() && at <= persistedAt(ack);
	}

	/**
	 * Whether a change of id could not take an acknowledged write along, by the stated
	 * limit: who changed the id could not know of it, or Redis had lost the tombstone of
	 * the old id when a node without the database wrote to it. It follows when the stores
	 * are back.
	 */
	boolean couldNotTakeAlong(Ack ack, List<Ack> changes) {
		return changes.stream()
			.anyMatch((changed) -> ack.began() < changed.at()
					&& (couldNotKnow(ack, changed.node(), changed.blind(), changed.began())
							|| (ack.unpersisted() && redisLost(changed, ack.at()))));
	}

	/**
	 * Whether Redis has lost, by some time, what it was told with an acknowledgement.
	 */
	private boolean redisLost(Ack ack, long by) {
		return this.losses.stream()
			.anyMatch((loss) -> loss.from <= by && loss.to >= ack.began() && ack.at() >= loss.writtenAfter);
	}

	/**
	 * Whether an acknowledged value may have been overwritten by an earlier one, by the
	 * stated limit: the request that wrote it could not know of the earlier one, which
	 * only Redis had and which is persisted later, or taken along later by a change of
	 * id.
	 * @param changes the changes of id that led to the one that the session has
	 */
	boolean mayBeOverwritten(Ack ack, List<Ack> earlier, List<Ack> changes) {
		return earlier.stream()
			.anyMatch(
					(other) -> other.value() < ack.value() && (couldNotKnow(other, ack.node(), ack.blind(), ack.began())
							|| (other.unpersisted() && other.at() >= ack.read()) || couldNotTakeAlong(other, changes)));
	}

	/**
	 * When what only Redis had must have been persisted, by the node that wrote it or, if
	 * that was killed before, by another.
	 */
	private long persistedAt(Ack ack) {
		long persisted = persistedBy(ack.node(), ack.at());
		for (Crash crash : this.crashes) {
			if (crash.node == ack.node() && crash.at >= ack.began() && crash.at <= persisted) {
				return databaseBack(plus(crash.at, PERSISTING_FOR_ANOTHER), ALL_NODES);
			}
		}
		return persisted;
	}

	/**
	 * When a node has had both stores for long enough at a stretch. Which of the copies
	 * it has to persist, it asks Redis.
	 */
	private long persistedBy(int node, long from) {
		long back = databaseBack(from, node);
		long persisted = plus(back, PERSISTING);
		long broken = Stream.of(this.databaseDown, this.redisCutOff)
			.flatMap(List::stream)
			.filter((period) -> period.concerns(node) && period.from < persisted && period.to > back)
			.mapToLong((period) -> period.to)
			.max()
			.orElse(back);
		return (broken == back) ? persisted : persistedBy(node, broken);
	}

	private long databaseBack(long from, int node) {
		long back = from;
		boolean moved = true;
		while (moved) {
			moved = false;
			for (Period period : this.databaseDown) {
				if ((node == ALL_NODES || period.concerns(node)) && period.from <= back && period.to > back) {
					back = period.to;
					moved = true;
				}
			}
		}
		return back;
	}

	/**
	 * The faults of a time.
	 */
	List<String> faultsOf(long from, long to) {
		List<String> active = new ArrayList<>();
		for (Period period : this.faults) {
			if (period.meets(from, to)) {
				active.add(period.toString());
			}
		}
		for (Period period : this.redisCutOff) {
			if (period.meets(from, to)) {
				active.add(period.toString());
			}
		}
		return active;
	}

	private static long plus(long time, Duration duration) {
		return (time == Long.MAX_VALUE) ? time : time + duration.toNanos();
	}

	/**
	 * A time from one moment to another, or still going on.
	 */
	final class Period {

		private final int node;

		private final String what;

		private final long from;

		private volatile long to = Long.MAX_VALUE;

		private Period(int node, String what, long from) {
			this.node = node;
			this.what = what;
			this.from = from;
		}

		void end() {
			this.to = now();
		}

		private boolean concerns(int other) {
			return this.node == ALL_NODES || this.node == other;
		}

		private boolean meets(long otherFrom, long otherTo) {
			return this.from <= otherTo && this.to >= otherFrom;
		}

		@Override
		public String toString() {
			String end = (this.to == Long.MAX_VALUE) ? "…" : String.format(Locale.ROOT, "%.3f s", this.to / 1e9);
			String where = (this.node == ALL_NODES) ? "" : " on node " + this.node;
			return String.format(Locale.ROOT, "%s%s from %.3f to %s", this.what, where, this.from / 1e9, end);
		}

	}

	private record Crash(int node, long at) {

	}

	private record Hiccup(long from, long to) {

	}

	/**
	 * A loss of data, at some moment or all the time from one moment to another.
	 */
	final class Loss {

		private final long writtenAfter;

		private final long from;

		private volatile long to = Long.MAX_VALUE;

		private Loss(long writtenAfter, long from) {
			this.writtenAfter = writtenAfter;
			this.from = from;
		}

		void end() {
			this.to = now();
		}

	}

}

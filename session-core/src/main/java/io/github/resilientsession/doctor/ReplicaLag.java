package io.github.resilientsession.doctor;

import java.time.Duration;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Iterator;

import io.github.resilientsession.redis.ServerInfo;

/**
 * How far behind replicas are, in time. Redis tells how long ago a replica last confirmed
 * anything, and how much it has confirmed, but not how old that is: for this it is
 * remembered how much there was when. Used by one thread.
 */
final class ReplicaLag {

	private static final int MAX_MARKS = 360;

	private final Deque<Mark> marks = new ArrayDeque<>();

	/**
	 * Forget all, since Redis has been restarted.
	 */
	void clear() {
		this.marks.clear();
	}

	void add(Look look) {
		look.info().number("master_repl_offset").ifPresent((offset) -> this.marks.addLast(new Mark(look.at(), offset)));
		while (this.marks.size() > MAX_MARKS) {
			this.marks.removeFirst();
		}
	}

	/**
	 * How far behind a replica is: since the first look at which there was more than it
	 * has confirmed, or since it has last confirmed anything.
	 * @param replica what Redis tells of it
	 * @param now the time
	 * @return the time; as far as is known, if it is behind since before the first look
	 */
	Duration of(ServerInfo replica, Instant now) {
		Duration silent = Duration.ofSeconds((long) replica.number("lag").orElse(0));
		double confirmed = replica.number("offset").orElse(Double.MAX_VALUE);
		Instant behindSince = now;
		for (Iterator<Mark> latest = this.marks.descendingIterator(); latest.hasNext();) {
			Mark mark = latest.next();
			if (mark.offset() <= confirmed) {
				break;
			}
			behindSince = mark.at();
		}
		Duration behind = Duration.between(behindSince, now);
		return (behind.compareTo(silent) > 0) ? behind : silent;
	}

	/**
	 * How much there was.
	 *
	 * @param at when
	 * @param offset how many bytes the master had written for its replicas
	 */
	private record Mark(Instant at, double offset) {

	}

}

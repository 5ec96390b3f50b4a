package io.github.resilientsession.reconcile;

import java.util.List;
import java.util.function.IntConsumer;
import java.util.stream.IntStream;

import io.github.resilientsession.circuit.TierCircuit;
import io.github.resilientsession.circuit.TierUnavailableException;
import io.github.resilientsession.record.SessionRecord;
import io.github.resilientsession.redis.CopyOutcome;
import io.github.resilientsession.redis.RedisTier;

/**
 * Puts sessions back that Redis has lost, as long as it has memory to spare.
 */
final class Refill {

	/**
	 * How many bytes of sessions to put back before Redis's memory is looked at again.
	 */
	private static final long PORTION_BYTES = 1 << 20;

	private final RedisTier redis;

	private final TierCircuit redisCircuit;

	private final RebuildCheck rebuilds;

	private final double headroom;

	/**
	 * Create a refill.
	 * @param headroom the part of Redis's memory that has to stay free, from 0 to 1
	 */
	Refill(RedisTier redis, TierCircuit redisCircuit, RebuildCheck rebuilds, double headroom) {
		this.redis = redis;
		this.redisCircuit = redisCircuit;
		this.rebuilds = rebuilds;
		this.headroom = headroom;
	}

	/**
	 * Put sessions back for which there is memory to spare.
	 * @param sessions the sessions, the most important first
	 * @param progress is told how many of each portion were put back
	 * @return whether there was room for all of them
	 * @throws TierUnavailableException if a tier failed
	 */
	boolean putBack(List<SessionRecord> sessions, IntConsumer progress) {
		int put = 0;
		while (put < sessions.size()) {
			// Asked anew for each portion, since users fill the same memory meanwhile.
			long left = this.redisCircuit.call(() -> this.redis.memoryLeft(this.headroom));
			int end = endOfPortion(sessions, put, left);
			if (end == put) {
				return false;
			}
			List<SessionRecord> portion = sessions.subList(put, end);
			put = end;
			progress.accept(putBack(portion));
		}
		return true;
	}

	/**
	 * Put sessions back, and look once more at their rows: they may have changed or ended
	 * since they were loaded, and Redis have lost what said so.
	 * @return how many were put
	 */
	private int putBack(List<SessionRecord> portion) {
		try {
			List<CopyOutcome> found = this.redisCircuit.call(() -> this.redis.putAllIfAbsent(portion));
			List<SessionRecord> done = IntStream.range(0, portion.size())
				.filter((i) -> found.get(i).status() == CopyOutcome.Status.DONE)
				.mapToObj(portion::get)
				.toList();
			this.rebuilds.check(done);
			return done.size();
		}
		catch (RuntimeException ex) {
			// Any of them may be there or still arrive, and whoever repeats this finds
			// them already there.
			portion.forEach((session) -> this.rebuilds.rebuilt(session.withoutAttributes()));
			throw ex;
		}
	}

	private static int endOfPortion(List<SessionRecord> sessions, int start, long left) {
		int end = start;
		long bytes = 0;
		while (end < sessions.size()) {
			bytes += memoryFor(sessions.get(end));
			if (bytes > left || (bytes > PORTION_BYTES && end > start)) {
				return end;
			}
			end++;
		}
		return end;
	}

	/**
	 * Rather more than a copy takes, since memory is given in steps.
	 */
	private static long memoryFor(SessionRecord session) {
		return session.attributeBytes() + session.attributeBytes() / 4 + 1_024 + 64L * session.attributes().size();
	}

}

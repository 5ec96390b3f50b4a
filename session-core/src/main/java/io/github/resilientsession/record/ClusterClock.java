package io.github.resilientsession.record;

import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;

/**
 * The time that all nodes share: this node's clock, put right by the clock of the durable
 * store where they differ, or by that of Redis until the durable store has first
 * answered. Sessions are measured by it, so that a node whose clock is off by a minute
 * neither ends a session a minute early nor lets it live longer.
 * <p>
 * Differences of less than {@link #TOLERANCE} are ignored. Thread-safe.
 */
public final class ClusterClock extends Clock {

	/**
	 * How far a clock may be off without being put right: more than it takes to ask for
	 * the time.
	 */
	public static final Duration TOLERANCE = Duration.ofSeconds(1);

	private final Clock node;

	private final Offset offset;

	private ClusterClock(Clock node, Offset offset) {
		this.node = node;
		this.offset = offset;
	}

	/**
	 * Create a clock that has not been put right yet.
	 * @param node this node's clock
	 */
	public ClusterClock(Clock node) {
		this(node, new Offset());
	}

	/**
	 * This node's own clock, as others that know nothing of this library use it.
	 * @return the clock that was given
	 */
	public Clock node() {
		return this.node;
	}

	/**
	 * Put the clock right, if it is off by more than the tolerance.
	 * @param millis how far the durable store's clock is ahead of this node's
	 */
	public void putRight(long millis) {
		this.offset.set(millis, true);
	}

	/**
	 * Put the clock right for as long as it is not known what time the durable store has.
	 * @param millis how far Redis's clock is ahead of this node's
	 */
	public void suppose(long millis) {
		this.offset.set(millis, false);
	}

	/**
	 * Translate a time that was read from this node's clock.
	 * @param nodeTime the time on this node
	 * @return the time that all nodes share
	 */
	public Instant shared(Instant nodeTime) {
		return nodeTime.plusMillis(this.offset.millis);
	}

	@Override
	public Instant instant() {
		return shared(this.node.instant());
	}

	@Override
	public long millis() {
		return this.node.millis() + this.offset.millis;
	}

	@Override
	public ZoneId getZone() {
		return this.node.getZone();
	}

	@Override
	public Clock withZone(ZoneId zone) {
		return new ClusterClock(this.node.withZone(zone), this.offset);
	}

	/**
	 * How far the clock to go by is ahead of this node's.
	 */
	private static final class Offset {

		private volatile long millis;

		private boolean known;

		synchronized void set(long other, boolean nowKnown) {
			if (this.known && !nowKnown) {
				return;
			}
			this.known = nowKnown;
			if (Math.abs(other - this.millis) >= TOLERANCE.toMillis()) {
				this.millis = (Math.abs(other) >= TOLERANCE.toMillis()) ? other : 0;
			}
		}

	}

}

package io.github.resilientsession.record;

import java.time.Duration;

/**
 * The rule that no session lives forever: every max inactive interval lies between a
 * minimum and a maximum, in whole seconds.
 *
 * @param min the shortest interval allowed, at least one second
 * @param max the longest interval allowed, and what "never expires" (zero or negative)
 * stands for
 * @param onViolation what happens to an interval outside of that
 */
public record TtlPolicy(Duration min, Duration max, OnViolation onViolation) {

	public TtlPolicy {
		if (min.toSeconds() < 1) {
			throw new IllegalArgumentException("The minimum TTL must be at least one second, not " + min);
		}
		if (max.compareTo(min) < 0) {
			throw new IllegalArgumentException("The maximum TTL " + max + " is less than the minimum TTL " + min);
		}
		if (max.toSeconds() > Integer.MAX_VALUE) {
			throw new IllegalArgumentException("The maximum TTL " + max + " is more than 2^31 - 1 seconds");
		}
	}

	/**
	 * Whether an interval lies outside of the allowed range.
	 * @param interval the interval asked for
	 * @return whether it is not allowed as it is
	 */
	public boolean isViolatedBy(Duration interval) {
		return interval.toSeconds() <= 0 || interval.compareTo(this.min) < 0 || interval.compareTo(this.max) > 0;
	}

	/**
	 * The allowed interval that is nearest to the one asked for.
	 * @param interval the interval asked for; zero or negative asks for no expiry
	 * @return the interval in whole seconds, within the range
	 */
	public Duration clamp(Duration interval) {
		if (!isViolatedBy(interval)) {
			return Duration.ofSeconds(interval.toSeconds());
		}
		boolean never = interval.isZero() || interval.isNegative();
		return Duration.ofSeconds((never || interval.compareTo(this.max) > 0 ? this.max : this.min).toSeconds());
	}

	/**
	 * The interval that was stored, or what is allowed of it: a node that allows less
	 * than the one that stored it wins.
	 * @param interval the interval; zero or negative for no expiry
	 * @return the interval in whole seconds, at most the maximum
	 */
	public Duration limit(Duration interval) {
		boolean never = interval.toSeconds() <= 0;
		return Duration.ofSeconds((never || interval.compareTo(this.max) > 0 ? this.max : interval).toSeconds());
	}

	/**
	 * What happens to an interval outside of the allowed range.
	 */
	public enum OnViolation {

		/**
		 * The nearest allowed interval is taken.
		 */
		CLAMP,

		/**
		 * The caller gets an exception.
		 */
		REJECT

	}

}

package io.github.resilientsession.durable;

import java.time.Duration;

/**
 * How the durable tier behaves.
 *
 * @param timeLimit how long a statement may take, getting its connection included
 * @param touchGrace how much longer than its timeout a row lives at most
 * @param platform the kind of database
 */
public record DurableSettings(Duration timeLimit, Duration touchGrace, Platform platform) {

	/**
	 * The part of the timeout that the grace may be: one in this many.
	 */
	static final int GRACE_DIVISOR = 20;

	/**
	 * How much longer than its timeout a row lives, since touches reach it in batches.
	 * @param maxInactiveInterval the timeout
	 * @return the grace: never more than a twentieth of the timeout
	 */
	public Duration graceFor(Duration maxInactiveInterval) {
		Duration part = maxInactiveInterval.dividedBy(GRACE_DIVISOR);
		return (part.compareTo(this.touchGrace) < 0) ? part : this.touchGrace;
	}

}

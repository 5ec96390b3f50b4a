package io.github.resilientsession.redis;

import java.time.Duration;

/**
 * What is known of a copy without reading all of it.
 *
 * @param version its version, negative for a tombstone; {@code 0} if it has none
 * @param unpersisted whether the durable store does not know all of it yet
 * @param life for how long it lives if it is not used
 */
public record CopyState(long version, boolean unpersisted, Duration life) {

	/**
	 * Whether it is a tombstone.
	 * @return whether the session was ended
	 */
	public boolean isTombstone() {
		return this.version < 0;
	}

}

package io.github.resilientsession.doctor;

import java.time.Duration;
import java.util.Locale;

/**
 * What the doctor looks at. There is at most one finding of each.
 */
public enum Check {

	/**
	 * What Redis does when it is full.
	 */
	EVICTION_POLICY,

	/**
	 * Whether the memory of Redis is limited, and to less than there is.
	 */
	MEMORY_LIMIT,

	/**
	 * How full Redis is.
	 */
	MEMORY_USED,

	/**
	 * When Redis will be full, if it goes on as in the last minutes.
	 */
	MEMORY_GROWTH,

	/**
	 * Whether Redis has evicted keys.
	 */
	EVICTIONS,

	/**
	 * How much more memory Redis has from the system than it uses.
	 */
	FRAGMENTATION,

	/**
	 * Whether there is memory for the copy that is made to save the data.
	 */
	FORK_HEADROOM,

	/**
	 * Whether Redis can save its data, and what that costs.
	 */
	PERSISTENCE,

	/**
	 * Whether replicas have what the master has.
	 */
	REPLICATION,

	/**
	 * Whether sessions share the instance with other keys.
	 */
	SHARED_INSTANCE,

	/**
	 * Whether there are sessions without a TTL.
	 */
	KEYS_WITHOUT_TTL,

	/**
	 * Whether scripts keep everybody else waiting.
	 */
	SLOW_SCRIPTS,

	/**
	 * Whether Redis turns clients away.
	 */
	CLIENTS,

	/**
	 * Whether this library has been tried with such a server.
	 */
	SERVER_VERSION,

	/**
	 * What could not be seen.
	 */
	VISIBILITY;

	/**
	 * How long a finding stays after it was found last. A sample does not show the same
	 * each time.
	 */
	Duration staysFor() {
		return switch (this) {
			case SHARED_INSTANCE -> Duration.ofMinutes(30);
			// The audit may have mended it.
			case KEYS_WITHOUT_TTL -> Duration.ofMinutes(10);
			default -> Duration.ZERO;
		};
	}

	/**
	 * The name in metrics, logs and documentation.
	 * @return the name, in lower case with hyphens
	 */
	public String id() {
		return name().toLowerCase(Locale.ROOT).replace('_', '-');
	}

}

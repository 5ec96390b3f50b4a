package io.github.resilientsession.reconcile;

import java.time.Duration;

/**
 * How sessions without a TTL are looked for.
 *
 * @param enabled whether they are looked for by themselves, and not only when asked for
 * @param interval how long from the end of one audit to the next
 * @param keysPerSecond how many keys of Redis to look at per second at most
 * @param dryRun whether to count only what is found
 */
public record TtlAuditSettings(boolean enabled, Duration interval, int keysPerSecond, boolean dryRun) {

	/**
	 * What is right for most: little enough not to be noticed.
	 */
	public static final TtlAuditSettings DEFAULTS = new TtlAuditSettings(true, Duration.ofHours(1), 1_000, false);

}

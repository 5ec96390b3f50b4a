package io.github.resilientsession.doctor;

import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.Set;

import io.github.resilientsession.redis.ServerInfo;

/**
 * What an examination of Redis has found.
 *
 * @param at when it was; the epoch if there was none yet
 * @param findings what was found, the worst first
 * @param shown the checks that could see what they are about
 * @param info what Redis said of itself
 * @param untilFull how long until Redis is full, if it grows
 * @param replicaLag how far behind the last of its replicas is, if it has any
 * @param evicted how many keys it has evicted since the first examination by this node
 */
public record Report(Instant at, List<Finding> findings, Set<Check> shown, ServerInfo info,
		Optional<Duration> untilFull, Optional<Duration> replicaLag, long evicted) {

	/**
	 * Before the first examination.
	 */
	public static final Report NONE = new Report(Instant.EPOCH, List.of(), Set.of(), ServerInfo.NONE, Optional.empty(),
			Optional.empty(), 0);

	/**
	 * How bad the finding of a check is.
	 * @param check the check
	 * @return empty if nothing was found
	 */
	public Optional<Severity> severity(Check check) {
		return this.findings.stream().filter((finding) -> finding.check() == check).map(Finding::severity).findFirst();
	}

	/**
	 * Whether anything is known of what a check is about.
	 * @param check the check
	 * @return {@code false} also before the first examination
	 */
	public boolean knows(Check check) {
		return this.shown.contains(check) || severity(check).isPresent();
	}

	/**
	 * The findings that are critical.
	 * @return the findings, none if all is well enough
	 */
	public List<Finding> critical() {
		return this.findings.stream().filter((finding) -> finding.severity() == Severity.CRITICAL).toList();
	}

}

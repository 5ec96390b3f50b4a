package io.github.resilientsession.doctor;

import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.EnumMap;
import java.util.Map;
import java.util.Optional;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;

import io.github.resilientsession.redis.Diagnostics;
import io.github.resilientsession.redis.RedisTierException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Looks at the Redis server from time to time, finds what costs sessions or will, and
 * logs each finding once. Changes nothing in Redis. Safe for use by many threads.
 */
public final class RedisDoctor {

	private static final int SAMPLE = 50;

	/**
	 * How long something must not be found to be over: one that comes and goes is logged
	 * once.
	 */
	private static final Duration OVER_AFTER = Duration.ofMinutes(2);

	private static final Logger logger = LoggerFactory.getLogger(RedisDoctor.class);

	private final Diagnostics diagnostics;

	private final DoctorSettings settings;

	private final Clock clock;

	private final History history;

	private final BooleanSupplier refilling;

	/**
	 * What was logged of each check, until it is over.
	 */
	private final Map<Check, Logged> logged = new EnumMap<>(Check.class);

	/**
	 * What was found last by each check, as long as it may still be so.
	 */
	private final Map<Check, Seen> seen = new EnumMap<>(Check.class);

	private volatile Report report = Report.NONE;

	/**
	 * Create a doctor that has seen nothing yet.
	 * @param diagnostics asks Redis
	 * @param settings from where on something is a finding
	 * @param refilling whether sessions are being put back into Redis
	 * @param clock the time
	 */
	public RedisDoctor(Diagnostics diagnostics, DoctorSettings settings, BooleanSupplier refilling, Clock clock) {
		this.diagnostics = diagnostics;
		this.settings = settings;
		this.refilling = refilling;
		this.clock = clock;
		this.history = new History(settings);
	}

	/**
	 * What was found last.
	 * @return the report of the last examination
	 */
	public Report report() {
		return this.report;
	}

	/**
	 * Look once more; a few round trips.
	 * @return what was found
	 * @throws RedisTierException if Redis does not answer
	 */
	public synchronized Report examine() {
		Look look = new Look(this.clock.instant(), this.diagnostics.info(), this.diagnostics.setting("save"),
				this.diagnostics.setting("appendfsync"), this.diagnostics.setting("stop-writes-on-bgsave-error"),
				ifAnswered(() -> this.diagnostics.sample(SAMPLE)), ifAnswered(this.diagnostics::slowScripts));
		Findings findings = new Findings();
		History.Trends trends = this.history.add(look, this.refilling.getAsBoolean(), findings);
		new MemoryChecks(this.settings, findings).check(look, trends.untilFull());
		new ServerChecks(this.settings, findings).check(look);
		if (trends.anew()) {
			this.seen.clear();
		}
		keepWhatMayStillBe(look, findings);
		Report found = new Report(look.at(), findings.all(), look.shown(), look.info(), trends.untilFull(),
				trends.replicaLag(), trends.evicted());
		this.report = found;
		log(found);
		return found;
	}

	/**
	 * What takes longer than the rest is not worth losing the rest.
	 */
	private static <T> Optional<T> ifAnswered(Supplier<Optional<T>> question) {
		try {
			return question.get();
		}
		catch (RedisTierException ex) {
			logger.debug("Redis has not answered all questions", ex);
			return Optional.empty();
		}
	}

	/**
	 * What cannot be seen any more is not over for that, and what a sample has shown is
	 * not over when the next one happens to miss it.
	 */
	private void keepWhatMayStillBe(Look look, Findings findings) {
		this.seen.values()
			.removeIf((last) -> look.shows(last.finding().check())
					&& !look.at().isBefore(last.at().plus(last.finding().check().staysFor())));
		findings.all().forEach((finding) -> this.seen.put(finding.check(), new Seen(finding, look.at())));
		this.seen.values().forEach((last) -> findings.add(last.finding()));
	}

	private void log(Report found) {
		found.findings().forEach((finding) -> log(finding, found.at()));
		for (Check check : Check.values()) {
			Logged last = this.logged.get(check);
			if (last != null && found.at().isAfter(last.at().plus(OVER_AFTER))) {
				this.logged.remove(check);
				logger.info("Redis doctor [{}]: no longer found.", check.id());
			}
		}
	}

	/**
	 * At first, when it is worse, and when it has been milder for long.
	 */
	private void log(Finding finding, Instant now) {
		Logged before = this.logged.get(finding.check());
		int worse = (before != null) ? finding.severity().compareTo(before.severity()) : 1;
		if (before == null || worse > 0 || (worse < 0 && now.isAfter(before.asBad().plus(OVER_AFTER)))) {
			write(finding);
			this.logged.put(finding.check(), new Logged(finding.severity(), now, now));
		}
		else {
			this.logged.put(finding.check(), new Logged(before.severity(), (worse < 0) ? before.asBad() : now, now));
		}
	}

	private static void write(Finding finding) {
		String line = "Redis doctor [{}]: {} {} What to do: {}";
		Object[] values = { finding.check().id(), finding.what(), finding.why(), finding.fix() };
		switch (finding.severity()) {
			case CRITICAL -> logger.error(line, values);
			case WARNING -> logger.warn(line, values);
			case NOTICE -> logger.info(line, values);
		}
	}

	/**
	 * What was found, and when.
	 */
	private record Seen(Finding finding, Instant at) {

	}

	/**
	 * What was logged of a check.
	 *
	 * @param severity how bad it was when it was logged
	 * @param asBad when it was found last as bad as that
	 * @param at when it was found last
	 */
	private record Logged(Severity severity, Instant asBad, Instant at) {

	}

}

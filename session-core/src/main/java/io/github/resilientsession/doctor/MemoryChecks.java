package io.github.resilientsession.doctor;

import java.time.Duration;
import java.util.Optional;

import static io.github.resilientsession.doctor.Findings.megabytes;
import static io.github.resilientsession.doctor.Findings.percent;

/**
 * Whether the memory of Redis is enough, and what happens when it is not.
 */
final class MemoryChecks {

	/**
	 * Below this, a ratio of memory says nothing.
	 */
	private static final double MEANINGFUL = 64 << 20;

	/**
	 * Of what the machine has, for a limit that leaves room for buffers, fragmentation
	 * and the copy that is made to save the data.
	 */
	private static final double SENSIBLE_LIMIT = 0.6;

	/**
	 * Less memory from the system than is used: part of it has been swapped out.
	 */
	private static final double SWAPPED = 0.8;

	/**
	 * How much of its data Redis changes while it is saved, at a guess.
	 */
	private static final double CHANGED_WHILE_SAVING = 0.3;

	private static final Duration VERY_SOON = Duration.ofMinutes(10);

	private final DoctorSettings settings;

	private final Findings findings;

	MemoryChecks(DoctorSettings settings, Findings findings) {
		this.settings = settings;
		this.findings = findings;
	}

	void check(Look look, Optional<Duration> untilFull) {
		evictionPolicy(look);
		limit(look);
		used(look);
		untilFull.filter((left) -> !left.isZero()).ifPresent(this::growth);
		fragmentation(look);
		forkHeadroom(look);
	}

	private void evictionPolicy(Look look) {
		String policy = look.info().text("maxmemory_policy").orElse("");
		String fix = "CONFIG SET maxmemory-policy noeviction (and in redis.conf) while there is memory to spare, with a "
				+ "cache in a Redis of its own.";
		if (policy.startsWith("allkeys-")) {
			this.findings.add(Check.EVICTION_POLICY, Severity.CRITICAL,
					"Redis evicts any key when it is full: maxmemory-policy is " + policy + ".",
					"Sessions in use are thrown away like entries of a cache. The database still has them, and is "
							+ "asked for each of them again.",
					fix);
		}
		else if (policy.startsWith("volatile-")) {
			this.findings.add(Check.EVICTION_POLICY, Severity.WARNING,
					"Redis evicts keys that have a TTL when it is full: maxmemory-policy is " + policy + ".",
					"Every session has a TTL, so that sessions are what it evicts.", fix);
		}
	}

	private void limit(Look look) {
		if (look.info().number("maxmemory").isEmpty()) {
			return;
		}
		double maximum = look.number("maxmemory");
		double system = look.systemMemory(this.settings);
		String fix = fixOfLimit(look, system);
		if (maximum == 0) {
			this.findings.add(Check.MEMORY_LIMIT, Severity.WARNING, "Redis has no memory limit: maxmemory is 0.",
					"It grows until the system kills it, and comes back without the sessions.", fix);
		}
		else if (system > 0 && maximum > system) {
			this.findings.add(Check.MEMORY_LIMIT, Severity.CRITICAL,
					"Redis may use more memory than there is: maxmemory is " + megabytes(maximum) + " of "
							+ megabytes(system) + ".",
					"The system kills it before it is full, again and again, each time without the sessions.", fix);
		}
	}

	/**
	 * A limit below what is used would evict, or refuse writes, at once.
	 */
	private static String fixOfLimit(Look look, double system) {
		double sensible = SENSIBLE_LIMIT * system;
		String container = " In a container set resilient-session.doctor.memory-limit to its limit: Redis sees the "
				+ "memory of the machine.";
		if (system > 0 && look.number("used_memory") > sensible) {
			return "Give it more memory or fewer keys first: it uses more than the 60 % of the memory that maxmemory "
					+ "should be." + container;
		}
		return "CONFIG SET maxmemory "
				+ ((system > 0) ? Math.round(sensible / (1 << 20)) + "mb" : "<60 % of the memory>")
				+ " (and in redis.conf)." + container;
	}

	private void used(Look look) {
		double capacity = look.capacity(this.settings);
		double part = (capacity > 0) ? look.number("used_memory") / capacity : 0;
		if (part < this.settings.memoryWarning()) {
			return;
		}
		boolean critical = part >= this.settings.memoryCritical();
		this.findings.add(Check.MEMORY_USED, critical ? Severity.CRITICAL : Severity.WARNING,
				"Redis uses " + percent(part) + " of its memory (" + megabytes(look.number("used_memory")) + " of "
						+ megabytes(capacity) + ").",
				"When it is full, it refuses sessions or evicts them, and requests go to the database.",
				"Give it more memory (CONFIG SET maxmemory, the container's limit), move other keys away, or shorten "
						+ "spring.session.timeout.");
	}

	private void growth(Duration untilFull) {
		if (untilFull.compareTo(this.settings.fullWithin()) > 0) {
			return;
		}
		this.findings.add(Check.MEMORY_GROWTH,
				(untilFull.compareTo(VERY_SOON) <= 0) ? Severity.CRITICAL : Severity.WARNING,
				"Redis will be full in about " + Math.max(1, untilFull.toMinutes())
						+ " minutes, if it goes on as in the last minutes.",
				"When it is full, it refuses sessions or evicts them, and requests go to the database.",
				"Find out what grows (INFO keyspace, redis-cli --bigkeys), and give it more memory before that.");
	}

	private void fragmentation(Look look) {
		double used = look.number("used_memory");
		double resident = look.number("used_memory_rss");
		double ratio = look.number("mem_fragmentation_ratio");
		if (ratio > this.settings.maxFragmentation() && resident - used >= MEANINGFUL) {
			this.findings.add(Check.FRAGMENTATION, Severity.WARNING,
					"Redis has " + megabytes(resident) + " from the system and uses " + megabytes(used)
							+ " of it: a fragmentation of " + ratio + ".",
					"The system may kill it for memory that it does not use, though it is below its maxmemory.",
					"CONFIG SET activedefrag yes, or MEMORY PURGE; else restart a replica and fail over to it.");
		}
		else if (ratio > 0 && ratio < SWAPPED && used - resident >= MEANINGFUL) {
			this.findings.add(Check.FRAGMENTATION, Severity.WARNING,
					"A part of Redis is not in memory: it uses " + megabytes(used) + ", of which " + megabytes(resident)
							+ " are there.",
					"Reading from a disk what has been swapped out takes longer than a request waits for Redis.",
					"Give the machine more memory, and turn swapping off for Redis.");
		}
	}

	/**
	 * Also before Redis is as large as it may get.
	 */
	private void forkHeadroom(Look look) {
		double system = look.systemMemory(this.settings);
		double maximum = look.number("maxmemory");
		if (!look.forks() || system == 0 || maximum > system) {
			return;
		}
		double size = Math.max(Math.max(look.number("used_memory"), look.number("used_memory_rss")), maximum);
		double copied = Math.max(look.number("rdb_last_cow_size"), look.number("aof_last_cow_size"));
		double copy = Math.max(copied, CHANGED_WHILE_SAVING * size);
		if (size + copy > system) {
			this.findings.add(Check.FORK_HEADROOM, Severity.WARNING,
					"To save its data Redis needs about " + megabytes(copy) + " more than the " + megabytes(size)
							+ " that it has or may have, of " + megabytes(system) + ".",
					"The system kills it while it saves, and it comes back with older sessions or none.",
					"Set maxmemory to at most 60 % of the memory, or turn saving off (CONFIG SET save \"\"): the "
							+ "database has the sessions.");
		}
	}

}

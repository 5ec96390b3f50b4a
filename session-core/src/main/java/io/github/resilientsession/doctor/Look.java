package io.github.resilientsession.doctor;

import java.time.Instant;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

import io.github.resilientsession.redis.KeySample;
import io.github.resilientsession.redis.ServerInfo;
import io.github.resilientsession.redis.SlowScript;

/**
 * What was seen of a server at one time. What could not be asked is empty.
 *
 * @param at when
 * @param info what it says of itself
 * @param save the setting of the same name: when it saves its data by itself
 * @param appendfsync the setting of the same name: when its append-only file is written
 * @param stopWrites the setting {@code stop-writes-on-bgsave-error}
 * @param sample some keys
 * @param slowScripts the scripts that it has last noted as slow
 */
record Look(Instant at, ServerInfo info, Optional<String> save, Optional<String> appendfsync,
		Optional<String> stopWrites, Optional<KeySample> sample, Optional<List<SlowScript>> slowScripts) {

	double number(String name) {
		return this.info.number(name).orElse(0);
	}

	/**
	 * The memory that Redis has, as the settings or Redis itself say; 0 if neither does.
	 */
	double systemMemory(DoctorSettings settings) {
		Long limit = settings.memoryLimit();
		return (limit != null) ? limit : number("total_system_memory");
	}

	/**
	 * The most that Redis will use; 0 if that is not known.
	 */
	double capacity(DoctorSettings settings) {
		double maximum = number("maxmemory");
		double system = systemMemory(settings);
		return (maximum > 0 && (system == 0 || maximum < system)) ? maximum : system;
	}

	/**
	 * Whether it saves its data by itself, as far as is known.
	 */
	boolean savesSnapshots() {
		boolean hasSaved = this.info.number("rdb_last_bgsave_time_sec").orElse(-1) >= 0;
		return this.save.map((times) -> !times.isBlank()).orElse(hasSaved);
	}

	/**
	 * Whether it refuses writes once a save has failed, as far as is known.
	 */
	boolean refusesWritesAfterFailedSave() {
		return this.save.map((times) -> !times.isBlank()).orElse(true)
				&& this.stopWrites.filter("no"::equals).isEmpty();
	}

	/**
	 * Whether what a check needs was seen.
	 */
	boolean shows(Check check) {
		return switch (check) {
			case SHARED_INSTANCE, KEYS_WITHOUT_TTL -> this.sample.isPresent();
			case SLOW_SCRIPTS -> this.slowScripts.isPresent();
			case VISIBILITY -> true;
			default -> !this.info.isEmpty();
		};
	}

	/**
	 * The checks that could see what they need.
	 */
	Set<Check> shown() {
		return Arrays.stream(Check.values()).filter(this::shows).collect(Collectors.toUnmodifiableSet());
	}

	/**
	 * Whether it makes copies of its data, for a file or for a replica.
	 */
	boolean forks() {
		return savesSnapshots() || number("aof_enabled") > 0 || number("connected_slaves") > 0;
	}

}

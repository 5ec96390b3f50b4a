package io.github.resilientsession.benchmark;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * How much is measured.
 *
 * @param loads the combinations of payloads and threads
 * @param rounds how often each peer has its turn
 * @param turn how long one turn takes
 * @param logins how long each peer logs in before anything else, which runs most of its
 * code
 * @param firstWarmUp how long each peer runs before its first rounds with each workload
 * @param warmUp how long it runs before its rounds with later loads, by when its code has
 * been compiled, and without Redis
 * @param sessions how many sessions each peer has stored
 * @param incidents what happens to Redis
 * @param recoverySessions how many sessions Redis loses
 * @param readsPerSecond how many reads fall due meanwhile
 * @param recovery how long recoveries are watched
 * @param sizes of the table, at which growth is measured
 * @param whole whether growth and the microbenchmarks belong to it
 */
record Settings(List<Load> loads, int rounds, Duration turn, Duration logins, Duration firstWarmUp, Duration warmUp,
		int sessions, List<Incident> incidents, int recoverySessions, int readsPerSecond, Duration recovery,
		List<Integer> sizes, boolean whole) {

	/**
	 * What a whole run measures.
	 */
	static Settings full() {
		List<Load> loads = new ArrayList<>();
		for (Payload payload : List.of(Payload.SMALL, Payload.LARGE)) {
			for (int threads : List.of(1, 16, 128)) {
				loads.add(new Load(payload, threads, false));
			}
		}
		if (Runtime.version().feature() >= 21) {
			loads.add(new Load(Payload.SMALL, 128, true));
		}
		return new Settings(loads, 7, Duration.ofSeconds(1), Duration.ofSeconds(10), Duration.ofSeconds(10),
				Duration.ofSeconds(2), 10_000, List.of(Incident.values()), 100_000, 4_000, Duration.ofSeconds(60),
				List.of(10_000, 100_000, 1_000_000), true);
	}

	/**
	 * What takes less than four minutes.
	 */
	static Settings quick() {
		return new Settings(List.of(new Load(Payload.SMALL, 16, false)), 4, Duration.ofMillis(250),
				Duration.ofSeconds(3), Duration.ofMillis(400), Duration.ofSeconds(1), 3_000, List.of(Incident.FLUSHALL),
				6_000, 2_000, Duration.ofSeconds(6), List.of(10_000), false);
	}

	/**
	 * What shows as soon as possible that everything is measured; the figures say
	 * nothing.
	 */
	static Settings smoke() {
		return new Settings(List.of(new Load(Payload.SMALL, 16, false)), 1, Duration.ofMillis(100),
				Duration.ofMillis(500), Duration.ofMillis(100), Duration.ofMillis(100), 500, List.of(Incident.FLUSHALL),
				1_000, 500, Duration.ofSeconds(3), List.of(10_000), false);
	}

	/**
	 * The same, with another number of sessions that Redis loses.
	 */
	Settings losing(int number) {
		return new Settings(this.loads, this.rounds, this.turn, this.logins, this.firstWarmUp, this.warmUp,
				this.sessions, this.incidents, number, this.readsPerSecond, this.recovery, this.sizes, this.whole);
	}

	/**
	 * What all peers are put under.
	 *
	 * @param payload how large the sessions are
	 * @param threads how many threads there are
	 * @param virtual whether they are virtual
	 */
	record Load(Payload payload, int threads, boolean virtual) {

	}

}

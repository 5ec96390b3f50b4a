package io.github.resilientsession.benchmark;

import java.util.Arrays;

/**
 * Resilient Session beside one peer, in one workload. Its own figures come first, the
 * peer's after; a ratio above 1 says that it does more operations per second.
 *
 * @param name the workload
 * @param peer what it is compared with
 * @param payload how large the sessions are
 * @param threads how many threads there are
 * @param virtual_threads whether they are virtual
 * @param ratio_median the median over the rounds of the ratio in each
 * @param ratio_min the smallest ratio
 * @param ratio_max the largest ratio
 * @param ops_per_second the median over the rounds
 * @param p50_us the median latency over all rounds, in microseconds
 * @param p99_us the 99th percentile, likewise
 * @param redis_commands that Redis was sent, per operation
 * @param sql_statements that PostgreSQL executed, per operation
 * @param redis_bytes that Redis received, per operation
 * @param allocated_bytes that the virtual machine allocated, per operation
 * @param jvm_cpu_us processor time of the virtual machine per operation, in microseconds,
 * with what makes the load
 * @param redis_cpu_us the same of Redis
 * @param postgres_cpu_us the same of PostgreSQL; 0 if it runs in a container
 * @param errors operations that failed, in all rounds
 */
record Comparison(String name, String peer, String payload, int threads, boolean virtual_threads, double ratio_median,
		double ratio_min, double ratio_max, double ops_per_second, double p50_us, double p99_us, double redis_commands,
		double sql_statements, long redis_bytes, long allocated_bytes, double jvm_cpu_us, double redis_cpu_us,
		double postgres_cpu_us, long errors, double peer_ops_per_second, double peer_p50_us, double peer_p99_us,
		double peer_redis_commands, double peer_sql_statements, long peer_redis_bytes, long peer_allocated_bytes,
		double peer_jvm_cpu_us, double peer_redis_cpu_us, double peer_postgres_cpu_us, long peer_errors) {

	static Comparison of(String name, Settings.Load load, Measured ours, Measured peer) {
		double[] ratios = new double[ours.rounds().size()];
		for (int i = 0; i < ratios.length; i++) {
			ratios[i] = ours.rounds().get(i).operationsPerSecond() / peer.rounds().get(i).operationsPerSecond();
		}
		Arrays.sort(ratios);
		return new Comparison(name, peer.peer(), load.payload().name(), load.threads(), load.virtual(),
				rounded(Measured.median(ratios)), rounded(ratios[0]), rounded(ratios[ratios.length - 1]),
				rounded(ours.operationsPerSecond()), rounded(ours.percentile(50)), rounded(ours.percentile(99)),
				rounded(ours.redisCommands()), rounded(ours.statements()), ours.redisBytes(), ours.allocatedBytes(),
				rounded(ours.machineMicros()), rounded(ours.redisMicros()), rounded(ours.postgresMicros()),
				ours.errors(), rounded(peer.operationsPerSecond()), rounded(peer.percentile(50)),
				rounded(peer.percentile(99)), rounded(peer.redisCommands()), rounded(peer.statements()),
				peer.redisBytes(), peer.allocatedBytes(), rounded(peer.machineMicros()), rounded(peer.redisMicros()),
				rounded(peer.postgresMicros()), peer.errors());
	}

	private static double rounded(double value) {
		return Math.round(value * 1_000) / 1_000.0;
	}

}

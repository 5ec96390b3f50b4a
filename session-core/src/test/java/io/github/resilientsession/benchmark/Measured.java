package io.github.resilientsession.benchmark;

import java.util.Arrays;
import java.util.List;
import java.util.function.ToLongFunction;

import org.HdrHistogram.Histogram;

/**
 * What one peer has done in all rounds of a workload.
 *
 * @param peer its name
 * @param rounds what it has done in each
 * @param redisCommands per operation
 * @param statements per operation
 */
record Measured(String peer, List<Run> rounds, double redisCommands, double statements) {

	double operationsPerSecond() {
		double[] each = this.rounds.stream().mapToDouble(Run::operationsPerSecond).toArray();
		Arrays.sort(each);
		return median(each);
	}

	/**
	 * A percentile of the latency in microseconds.
	 */
	double percentile(double percentile) {
		Histogram all = this.rounds.get(0).latencies().copy();
		this.rounds.subList(1, this.rounds.size()).forEach((run) -> all.add(run.latencies()));
		return all.getValueAtPercentile(percentile) / 1_000.0;
	}

	long errors() {
		return this.rounds.stream().mapToLong(Run::errors).sum();
	}

	long redisBytes() {
		return Math.round(perOperation((run) -> run.used().redisBytes()));
	}

	/**
	 * Processor time of the virtual machine per operation, in microseconds.
	 */
	double machineMicros() {
		return perOperation(Run::machineNanos) / 1_000;
	}

	/**
	 * Processor time of Redis per operation, in microseconds.
	 */
	double redisMicros() {
		return perOperation((run) -> run.used().redisNanos()) / 1_000;
	}

	/**
	 * Processor time of PostgreSQL per operation, in microseconds.
	 */
	double postgresMicros() {
		return perOperation((run) -> run.used().postgresNanos()) / 1_000;
	}

	long allocatedBytes() {
		return Math.round(perOperation(Run::allocatedBytes));
	}

	private double perOperation(ToLongFunction<Run> figure) {
		long operations = this.rounds.stream().mapToLong(Run::operations).sum();
		return this.rounds.stream().mapToLong(figure).sum() / (double) Math.max(1, operations);
	}

	static double median(double[] sorted) {
		int middle = sorted.length / 2;
		return (sorted.length % 2 == 1) ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
	}

}

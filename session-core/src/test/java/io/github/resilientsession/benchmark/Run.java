package io.github.resilientsession.benchmark;

import java.time.Duration;

import org.HdrHistogram.Histogram;

/**
 * What one peer has done in one round.
 *
 * @param operations how many operations succeeded
 * @param errors how many failed
 * @param took how long all of it took
 * @param latencies of each operation, in nanoseconds
 * @param allocatedBytes what all threads of the virtual machine allocated meanwhile
 * @param consumption what was consumed meanwhile
 */
record Run(long operations, long errors, Duration took, Histogram latencies, long allocatedBytes,
		Consumption consumption) {

	double operationsPerSecond() {
		return this.operations / (this.took.toNanos() / 1e9);
	}

}

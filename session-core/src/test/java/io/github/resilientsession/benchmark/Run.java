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
 * @param machineNanos processor time of the virtual machine, with all that runs in it:
 * the threads that make the load, the compiler, the garbage collector
 * @param used what the servers consumed meanwhile
 */
record Run(long operations, long errors, Duration took, Histogram latencies, long allocatedBytes, long machineNanos,
		Consumption.Used used) {

	double operationsPerSecond() {
		return this.operations / (this.took.toNanos() / 1e9);
	}

}

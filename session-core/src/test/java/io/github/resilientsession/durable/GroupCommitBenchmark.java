package io.github.resilientsession.durable;

import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Function;

import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Threads;
import org.openjdk.jmh.annotations.Warmup;

/**
 * What grouping itself costs: with work that takes no time, and with work that waits half
 * a millisecond, as one for a disk does.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(1)
public class GroupCommitBenchmark {

	@Param({ "0", "500" })
	public int waitMicros;

	private final Function<List<Integer>, List<Integer>> work = (items) -> {
		if (this.waitMicros > 0) {
			LockSupport.parkNanos(TimeUnit.MICROSECONDS.toNanos(this.waitMicros));
		}
		return items;
	};

	private final GroupCommit<Integer, Integer> groups = new GroupCommit<>(64, 1_000_000, (item) -> 1,
			Duration.ofSeconds(10), this.work);

	@Benchmark
	@Threads(1)
	public Integer alone() {
		return this.groups.execute(1, null);
	}

	@Benchmark
	@Threads(16)
	public Integer ofSixteen() {
		return this.groups.execute(1, null);
	}

}

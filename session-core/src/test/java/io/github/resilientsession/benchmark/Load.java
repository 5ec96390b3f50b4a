package io.github.resilientsession.benchmark;

import java.lang.management.ManagementFactory;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;

import com.sun.management.OperatingSystemMXBean;
import com.sun.management.ThreadMXBean;
import org.HdrHistogram.Histogram;

/**
 * A number of threads that do the same without a pause, as many requests at once do.
 */
final class Load implements AutoCloseable {

	/**
	 * More than anything takes that ends at all.
	 */
	private static final Duration MOST = Duration.ofMinutes(10);

	private static final long MAX_LATENCY = Duration.ofMinutes(1).toNanos();

	private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

	private static final OperatingSystemMXBean SYSTEM = (OperatingSystemMXBean) ManagementFactory
		.getOperatingSystemMXBean();

	private final int threads;

	private final Supplier<Consumption> meter;

	private final ExecutorService executor;

	/**
	 * Create a load.
	 * @param threads how many threads
	 * @param meter tells what has been consumed so far
	 */
	Load(int threads, Supplier<Consumption> meter) {
		this(threads, false, meter);
	}

	/**
	 * Create a load.
	 * @param threads how many threads
	 * @param virtual whether they are virtual, from Java 21 on
	 * @param meter tells what has been consumed so far
	 */
	Load(int threads, boolean virtual, Supplier<Consumption> meter) {
		this.threads = threads;
		this.meter = meter;
		this.executor = virtual ? virtualThreads() : Executors.newFixedThreadPool(threads);
	}

	/**
	 * Called by name, since the library is compiled for an older Java.
	 */
	private static ExecutorService virtualThreads() {
		try {
			return (ExecutorService) Executors.class.getMethod("newVirtualThreadPerTaskExecutor").invoke(null);
		}
		catch (ReflectiveOperationException ex) {
			throw new IllegalStateException("This Java has no virtual threads", ex);
		}
	}

	int size() {
		return this.threads;
	}

	/**
	 * Do something again and again.
	 * @param duration for how long
	 */
	Run during(Duration duration, Runnable operation) throws Exception {
		long[] end = new long[1];
		return run(() -> end[0] = System.nanoTime() + duration.toNanos(), () -> System.nanoTime() - end[0] < 0,
				operation);
	}

	/**
	 * Do something a number of times.
	 */
	Run times(int count, Runnable operation) throws Exception {
		AtomicLong left = new AtomicLong(count);
		return run(() -> {
		}, () -> left.getAndDecrement() > 0, operation);
	}

	private Run run(Runnable begin, BooleanSupplier goesOn, Runnable operation) throws Exception {
		CountDownLatch ready = new CountDownLatch(this.threads);
		CountDownLatch go = new CountDownLatch(1);
		List<Future<Part>> parts = new ArrayList<>();
		for (int i = 0; i < this.threads; i++) {
			parts.add(this.executor.submit(() -> {
				ready.countDown();
				go.await();
				return part(goesOn, operation);
			}));
		}
		if (!ready.await(MOST.toSeconds(), TimeUnit.SECONDS)) {
			throw new IllegalStateException("Threads still do what was before");
		}
		Consumption before = this.meter.get();
		long allocatedBefore = allocatedBytes();
		long machineBefore = SYSTEM.getProcessCpuTime();
		begin.run();
		long start = System.nanoTime();
		go.countDown();
		Histogram latencies = new Histogram(MAX_LATENCY, 3);
		long errors = 0;
		for (Future<Part> each : parts) {
			Part part = each.get(MOST.toSeconds(), TimeUnit.SECONDS);
			latencies.add(part.latencies());
			errors += part.errors();
		}
		Duration took = Duration.ofNanos(System.nanoTime() - start);
		long machine = SYSTEM.getProcessCpuTime() - machineBefore;
		long allocated = allocatedBytes() - allocatedBefore;
		return new Run(latencies.getTotalCount(), errors, took, latencies, allocated, machine,
				this.meter.get().since(before));
	}

	private static Part part(BooleanSupplier goesOn, Runnable operation) {
		Histogram latencies = new Histogram(MAX_LATENCY, 3);
		long errors = 0;
		while (goesOn.getAsBoolean()) {
			long start = System.nanoTime();
			try {
				operation.run();
				latencies.recordValue(Math.min(System.nanoTime() - start, MAX_LATENCY));
			}
			catch (RuntimeException ex) {
				errors++;
			}
		}
		return new Part(latencies, errors);
	}

	private static long allocatedBytes() {
		long sum = 0;
		for (long bytes : THREADS.getThreadAllocatedBytes(THREADS.getAllThreadIds())) {
			sum += Math.max(0, bytes);
		}
		return sum;
	}

	@Override
	public void close() {
		this.executor.shutdownNow();
	}

	/**
	 * What one thread has done.
	 */
	private record Part(Histogram latencies, long errors) {

	}

}

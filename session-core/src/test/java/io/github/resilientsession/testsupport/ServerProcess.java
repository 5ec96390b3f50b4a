package io.github.resilientsession.testsupport;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Operations on a server's processes, by their ids.
 */
final class ServerProcess {

	private static final long WAIT_SECONDS = 30;

	private ServerProcess() {
	}

	/**
	 * Send a signal to a process and its descendants, the process first so that it starts
	 * no more of them.
	 */
	static void signal(long pid, String signal) {
		ProcessHandle process = ProcessHandle.of(pid)
			.orElseThrow(() -> new IllegalStateException("There is no process " + pid + " to send " + signal));
		List<String> command = new ArrayList<>(List.of("kill", "-" + signal, Long.toString(pid)));
		run(command);
		process.descendants().forEach((child) -> run(List.of("kill", "-" + signal, Long.toString(child.pid()))));
	}

	static void kill(long pid) {
		ProcessHandle.of(pid).ifPresent((process) -> {
			List<ProcessHandle> all = new ArrayList<>(List.of(process));
			process.descendants().forEach(all::add);
			all.forEach(ProcessHandle::destroyForcibly);
			for (ProcessHandle each : all) {
				awaitExit(each);
			}
		});
	}

	/**
	 * The processor time of a process and of each of its descendants, as far as the
	 * system tells it.
	 */
	static Map<Long, Duration> processorTimes(long pid) {
		return ProcessHandle.of(pid)
			.stream()
			.flatMap((process) -> Stream.concat(Stream.of(process), process.descendants()))
			.collect(Collectors.toMap(ProcessHandle::pid,
					(process) -> process.info().totalCpuDuration().orElse(Duration.ZERO), (one, other) -> one));
	}

	private static void awaitExit(ProcessHandle process) {
		try {
			process.onExit().get(WAIT_SECONDS, TimeUnit.SECONDS);
		}
		catch (Exception ex) {
			throw new IllegalStateException("Process " + process.pid() + " did not die", ex);
		}
	}

	static int freePort() {
		try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
			return socket.getLocalPort();
		}
		catch (IOException ex) {
			throw new UncheckedIOException(ex);
		}
	}

	/**
	 * Try until it works; a server that starts refuses connections at first.
	 */
	static void awaitReady(String what, ProcessHandle process, Attempt attempt) {
		long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(WAIT_SECONDS);
		Exception last = null;
		while (System.nanoTime() < deadline && process.isAlive()) {
			try {
				attempt.run();
				return;
			}
			catch (Exception ex) {
				last = ex;
			}
			java.util.concurrent.locks.LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(20));
		}
		throw new IllegalStateException(what + " did not become ready; its process "
				+ (process.isAlive() ? "runs" : "has exited") + ", see its log", last);
	}

	/**
	 * Wait for a condition.
	 */
	static void await(String what, BooleanSupplier condition) {
		awaitReady(what, ProcessHandle.current(), () -> {
			if (!condition.getAsBoolean()) {
				throw new IllegalStateException("Not yet");
			}
		});
	}

	static Path temporaryDirectory(String prefix) {
		try {
			return Files.createTempDirectory(prefix);
		}
		catch (IOException ex) {
			throw new UncheckedIOException(ex);
		}
	}

	static void deleteDirectory(Path directory) {
		try (Stream<Path> paths = Files.walk(directory)) {
			paths.sorted(Comparator.reverseOrder()).forEach((path) -> path.toFile().delete());
		}
		catch (IOException ex) {
			throw new UncheckedIOException(ex);
		}
	}

	private static void run(List<String> command) {
		try {
			new ProcessBuilder(command).redirectErrorStream(true).start().waitFor(10, TimeUnit.SECONDS);
		}
		catch (IOException ex) {
			throw new UncheckedIOException(ex);
		}
		catch (InterruptedException ex) {
			Thread.currentThread().interrupt();
			throw new IllegalStateException("Interrupted", ex);
		}
	}

	/**
	 * Something that may fail until a server is ready.
	 */
	interface Attempt {

		void run() throws Exception;

	}

}

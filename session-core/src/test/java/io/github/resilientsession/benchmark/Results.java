package io.github.resilientsession.benchmark;

import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

import tools.jackson.databind.SerializationFeature;
import tools.jackson.databind.json.JsonMapper;

/**
 * What was measured: a line for each comparison as soon as there is one, and all of it as
 * JSON in the end.
 */
final class Results {

	private static final String LINE = "%-17s %-7s %4s  %-12s %6s %6s %6s  %9s %9s  %8s %8s %8s %8s  %5s %5s  %6s %7s  %14s %14s%n";

	private final PrintStream out;

	private final List<Comparison> comparisons = new ArrayList<>();

	private final Map<String, Map<String, Long>> memory = new LinkedHashMap<>();

	Results(PrintStream out) {
		this.out = out;
		this.out.printf(LINE, "workload", "payload", "thr", "peer", "ratio", "min", "max", "ops/s", "peer", "p50 us",
				"peer", "p99 us", "peer", "redis", "sql", "bytes", "alloc", "cpu us", "peer");
	}

	void add(Comparison one) {
		this.comparisons.add(one);
		this.out.printf(LINE, one.name(), one.payload(), one.threads() + (one.virtual_threads() ? "v" : ""), one.peer(),
				two(one.ratio_median()), two(one.ratio_min()), two(one.ratio_max()), whole(one.ops_per_second()),
				whole(one.peer_ops_per_second()), whole(one.p50_us()), whole(one.peer_p50_us()), whole(one.p99_us()),
				whole(one.peer_p99_us()), two(one.redis_commands()), two(one.sql_statements()), one.redis_bytes(),
				one.allocated_bytes(), processors(one.jvm_cpu_us(), one.redis_cpu_us(), one.postgres_cpu_us()),
				processors(one.peer_jvm_cpu_us(), one.peer_redis_cpu_us(), one.peer_postgres_cpu_us()));
		if (one.errors() + one.peer_errors() > 0) {
			this.out.printf("  errors: %d, %s: %d%n", one.errors(), one.peer(), one.peer_errors());
		}
	}

	/**
	 * What a session takes in Redis, in bytes.
	 */
	void memoryPerSession(String peer, Payload payload, long bytes) {
		if (bytes > 0) {
			this.memory.computeIfAbsent(payload.name(), (name) -> new LinkedHashMap<>()).put(peer, bytes);
		}
	}

	void write(Path file) throws IOException {
		this.memory
			.forEach((payload, peers) -> this.out.printf("memory per session in Redis, %s: %s%n", payload, peers));
		Files.createDirectories(file.getParent());
		JsonMapper json = JsonMapper.builder().enable(SerializationFeature.INDENT_OUTPUT).build();
		Files.write(file, json.writeValueAsBytes(this.comparisons));
		Files.write(file.resolveSibling("memory.json"), json.writeValueAsBytes(this.memory));
		this.out.println("written: " + file);
	}

	/**
	 * Of the virtual machine, of Redis and of PostgreSQL.
	 */
	private static String processors(double machine, double redis, double postgres) {
		return whole(machine) + "+" + whole(redis) + "+" + whole(postgres);
	}

	private static String two(double value) {
		return "%.2f".formatted(value);
	}

	private static String whole(double value) {
		return "%.0f".formatted(value);
	}

}

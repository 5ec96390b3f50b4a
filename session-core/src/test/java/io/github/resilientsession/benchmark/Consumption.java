package io.github.resilientsession.benchmark;

import java.time.Duration;
import java.util.Map;
import java.util.function.Supplier;

import io.github.resilientsession.testsupport.PostgresServer;
import io.github.resilientsession.testsupport.RedisServer;

/**
 * What the servers have consumed.
 *
 * @param redisBytes that Redis has received
 * @param redisNanos processor time of Redis
 * @param postgres processor time of PostgreSQL's processes, by their ids; none if it runs
 * in a container
 */
record Consumption(long redisBytes, long redisNanos, Map<Long, Duration> postgres) {

	static final Consumption NONE = new Consumption(0, 0, Map.of());

	/**
	 * What tells how much has been consumed so far.
	 */
	static Supplier<Consumption> of(RedisServer redis, PostgresServer postgres) {
		return () -> {
			if (!redis.isRunning()) {
				return new Consumption(0, 0, postgres.processorTimes());
			}
			String info = redis.call((commands) -> commands.info("everything"));
			double redisSeconds = number(info, "used_cpu_sys") + number(info, "used_cpu_user");
			return new Consumption((long) number(info, "total_net_input_bytes"),
					(long) (redisSeconds * Duration.ofSeconds(1).toNanos()), postgres.processorTimes());
		};
	}

	private static double number(String info, String name) {
		return info.lines()
			.filter((line) -> line.startsWith(name + ":"))
			.mapToDouble((line) -> Double.parseDouble(line.substring(name.length() + 1).trim()))
			.findFirst()
			.orElseThrow();
	}

	/**
	 * The processor time of PostgreSQL since then. What a process has taken that has
	 * ended meanwhile is not known.
	 */
	private long postgresNanosSince(Consumption before) {
		return this.postgres.entrySet()
			.stream()
			.mapToLong((process) -> process.getValue()
				.minus(before.postgres.getOrDefault(process.getKey(), Duration.ZERO))
				.toNanos())
			.sum();
	}

	/**
	 * What has been consumed since then.
	 */
	Used since(Consumption before) {
		return new Used(this.redisBytes - before.redisBytes, this.redisNanos - before.redisNanos,
				postgresNanosSince(before));
	}

	/**
	 * What was consumed meanwhile.
	 *
	 * @param redisBytes that Redis has received
	 * @param redisNanos processor time of Redis
	 * @param postgresNanos processor time of PostgreSQL
	 */
	record Used(long redisBytes, long redisNanos, long postgresNanos) {

	}

}

package io.github.resilientsession.benchmark;

import java.lang.management.ManagementFactory;
import java.time.Duration;
import java.util.function.Supplier;

import com.sun.management.OperatingSystemMXBean;
import io.github.resilientsession.testsupport.PostgresServer;
import io.github.resilientsession.testsupport.RedisServer;

/**
 * What the virtual machine and the servers have consumed.
 *
 * @param redisBytes that Redis has received
 * @param machineNanos processor time of the virtual machine, with all that runs in it:
 * the threads that make the load, the compiler, the garbage collector
 * @param redisNanos processor time of Redis
 * @param postgresNanos processor time of PostgreSQL, all its processes together; 0 if it
 * runs in a container
 */
record Consumption(long redisBytes, long machineNanos, long redisNanos, long postgresNanos) {

	static final Consumption NONE = new Consumption(0, 0, 0, 0);

	private static final OperatingSystemMXBean SYSTEM = (OperatingSystemMXBean) ManagementFactory
		.getOperatingSystemMXBean();

	/**
	 * What tells how much has been consumed so far.
	 */
	static Supplier<Consumption> of(RedisServer redis, PostgresServer postgres) {
		return () -> {
			String info = redis.isRunning() ? redis.call((commands) -> commands.info("everything")) : "";
			double redisSeconds = number(info, "used_cpu_sys") + number(info, "used_cpu_user");
			return new Consumption((long) number(info, "total_net_input_bytes"), SYSTEM.getProcessCpuTime(),
					(long) (redisSeconds * Duration.ofSeconds(1).toNanos()), postgres.processorTime().toNanos());
		};
	}

	private static double number(String info, String name) {
		return info.lines()
			.filter((line) -> line.startsWith(name + ":"))
			.mapToDouble((line) -> Double.parseDouble(line.substring(name.length() + 1).trim()))
			.findFirst()
			.orElse(0);
	}

	Consumption since(Consumption before) {
		return new Consumption(this.redisBytes - before.redisBytes, this.machineNanos - before.machineNanos,
				this.redisNanos - before.redisNanos, this.postgresNanos - before.postgresNanos);
	}

}

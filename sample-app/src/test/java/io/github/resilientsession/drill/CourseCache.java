package io.github.resilientsession.drill;

import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;

import io.github.resilientsession.testsupport.RedisServer;
import io.lettuce.core.RedisURI;
import io.lettuce.core.SetArgs;
import io.lettuce.core.codec.StringCodec;

/**
 * Other data in the Redis of sessions.
 */
final class CourseCache {

	private static final int BATCH = 200;

	private static final int LIFE_SECONDS = 3_600;

	private static final Duration PATIENCE = Duration.ofMinutes(10);

	private final RedisServer redis;

	private final String course;

	private long number;

	CourseCache(RedisServer redis, int bytes) {
		this.redis = redis;
		this.course = "x".repeat(bytes);
	}

	/**
	 * Add entries until something is so.
	 * @throws IllegalStateException if it is not after ten minutes
	 */
	void addUntil(BooleanSupplier enough) {
		Instant last = Instant.now().plus(PATIENCE);
		RedisServer.connected(RedisURI.create(this.redis.uri()), StringCodec.UTF8, (connection) -> {
			while (!enough.getAsBoolean()) {
				if (Instant.now().isAfter(last)) {
					throw new IllegalStateException(
							"Redis has taken " + this.number + " courses, and that was not enough");
				}
				List<CompletableFuture<?>> answers = new ArrayList<>();
				for (int i = 0; i < BATCH; i++) {
					answers.add(connection.async()
						.set("course:" + this.number++, this.course, SetArgs.Builder.ex(LIFE_SECONDS))
						.toCompletableFuture());
				}
				answers.forEach((answer) -> answer.orTimeout(30, TimeUnit.SECONDS).join());
			}
			return true;
		});
	}

	/**
	 * How many keys Redis has evicted so far, of whomever.
	 */
	long evicted() {
		return this.redis.call((commands) -> commands.info("stats"))
			.lines()
			.filter((line) -> line.startsWith("evicted_keys:"))
			.mapToLong((line) -> Long.parseLong(line.substring("evicted_keys:".length()).trim()))
			.findFirst()
			.orElseThrow();
	}

}

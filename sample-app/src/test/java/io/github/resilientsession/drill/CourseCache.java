package io.github.resilientsession.drill;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;

import io.lettuce.core.RedisURI;
import io.lettuce.core.SetArgs;
import io.lettuce.core.codec.StringCodec;
import io.github.resilientsession.testsupport.RedisServer;

/**
 * Other data in the Redis of sessions.
 */
final class CourseCache {

	private static final int BATCH = 200;

	private static final int LIFE_SECONDS = 3_600;

	private final RedisServer redis;

	private final String course;

	private long number;

	CourseCache(RedisServer redis, int bytes) {
		this.redis = redis;
		this.course = "x".repeat(bytes);
	}

	/**
	 * Add entries until something is so.
	 */
	void addUntil(BooleanSupplier enough) {
		RedisServer.connected(RedisURI.create(this.redis.uri()), StringCodec.UTF8, (connection) -> {
			while (!enough.getAsBoolean()) {
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

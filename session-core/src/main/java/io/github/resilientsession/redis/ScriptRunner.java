package io.github.resilientsession.redis;

import java.nio.charset.StandardCharsets;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;

import io.lettuce.core.RedisNoScriptException;
import io.lettuce.core.ScriptOutputType;
import io.lettuce.core.cluster.api.async.RedisClusterAsyncCommands;

/**
 * Runs scripts, each on one key and with a deadline by Redis's own clock: a command that
 * its sender has given up on may be executed when a Redis that hung wakes up, and must
 * then do nothing.
 */
final class ScriptRunner {

	private final RedisLink link;

	private final Duration timeLimit;

	private final Clock clock;

	/**
	 * How far Redis's clock is ahead of ours, in milliseconds, as the last probe saw it.
	 */
	private volatile long clockOffset;

	ScriptRunner(RedisLink link, Duration timeLimit, Clock clock) {
		this.link = link;
		this.timeLimit = timeLimit;
		this.clock = clock;
	}

	/**
	 * Find out what time Redis has.
	 * @return how far its clock is ahead of ours, in milliseconds
	 */
	long learnTime() {
		long before = this.clock.millis();
		List<byte[]> time = this.link.await(this.link.commands().time());
		long redisMillis = number(time.get(0)) * 1_000 + number(time.get(1)) / 1_000;
		this.clockOffset = redisMillis - (before + this.clock.millis()) / 2;
		return this.clockOffset;
	}

	/**
	 * Run a script and wait for what it returns, its status first.
	 */
	List<Object> run(Script script, byte[] key, List<byte[]> args) {
		return this.link.await(start(script, key, this.clock.instant(), args).toCompletableFuture());
	}

	/**
	 * Run a script without waiting. It does nothing if it comes much later than
	 * {@code from}.
	 */
	CompletionStage<List<Object>> start(Script script, byte[] key, Instant from, List<byte[]> args) {
		byte[][] keys = { key };
		byte[][] values = new byte[args.size() + 1][];
		values[0] = ascii(from.toEpochMilli() + this.clockOffset + 2 * this.timeLimit.toMillis());
		for (int i = 0; i < args.size(); i++) {
			values[i + 1] = args.get(i);
		}
		RedisClusterAsyncCommands<byte[], byte[]> commands = this.link.commands();
		return commands.<List<Object>>evalsha(script.sha(), ScriptOutputType.MULTI, keys, values)
			.exceptionallyCompose((ex) -> {
				Throwable cause = (ex instanceof CompletionException && ex.getCause() != null) ? ex.getCause() : ex;
				if (cause instanceof RedisNoScriptException) {
					return commands.<List<Object>>eval(script.source(), ScriptOutputType.MULTI, keys, values);
				}
				return CompletableFuture.failedStage(cause);
			});
	}

	/**
	 * The time from which a script's deadline counts.
	 */
	Instant now() {
		return this.clock.instant();
	}

	/**
	 * The status in a script's answer.
	 * @throws RedisTierException if the script came after its deadline
	 */
	static String status(List<Object> answer) {
		String status = new String((byte[]) answer.get(0), StandardCharsets.UTF_8);
		if (status.equals("late")) {
			throw new RedisTierException(RedisTierException.Kind.UNAVAILABLE,
					"Redis ran the script only after its deadline", null);
		}
		return status;
	}

	/**
	 * Bytes in a script's answer; empty where it has none.
	 */
	static byte[] bytes(List<Object> answer, int index) {
		return (index < answer.size() && answer.get(index) instanceof byte[] bytes) ? bytes : new byte[0];
	}

	private static long number(byte[] digits) {
		return Long.parseLong(new String(digits, StandardCharsets.US_ASCII));
	}

	static byte[] ascii(long number) {
		return Long.toString(number).getBytes(StandardCharsets.US_ASCII);
	}

}

package io.github.resilientsession.redis;

import java.time.Duration;

/**
 * How the Redis tier names its keys and how long it waits.
 *
 * @param namespace the namespace of the keys, as plain Spring Session has it:
 * {@code spring:session} by default
 * @param timeLimit how long a command may take
 */
public record RedisSettings(String namespace, Duration timeLimit) {

	String keyPrefix() {
		return this.namespace + ":sessions:";
	}

}

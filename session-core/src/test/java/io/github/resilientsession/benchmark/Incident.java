package io.github.resilientsession.benchmark;

import java.time.Duration;
import java.util.concurrent.TimeUnit;

import io.github.resilientsession.testsupport.RedisServer;

/**
 * What happens to Redis while sessions are read.
 */
enum Incident {

	/**
	 * All data is gone, the server stays.
	 */
	FLUSHALL("flushall") {

		@Override
		void happen(RedisServer redis) {
			redis.flushAll();
		}

	},

	/**
	 * Killed, and back without its data two seconds later.
	 */
	KILLED("kill-9") {

		@Override
		void happen(RedisServer redis) throws InterruptedException {
			redis.kill();
			TimeUnit.SECONDS.sleep(2);
			redis.restartEmpty();
		}

	},

	/**
	 * Stopped for ten seconds: it is there, but does not answer.
	 */
	PAUSED("sigstop") {

		@Override
		void happen(RedisServer redis) throws InterruptedException {
			redis.pause();
			try {
				Thread.sleep(PAUSE.toMillis());
			}
			finally {
				redis.resume();
			}
		}

	};

	private static final Duration PAUSE = Duration.ofSeconds(10);

	private final String label;

	Incident(String label) {
		this.label = label;
	}

	String label() {
		return this.label;
	}

	abstract void happen(RedisServer redis) throws InterruptedException;

}

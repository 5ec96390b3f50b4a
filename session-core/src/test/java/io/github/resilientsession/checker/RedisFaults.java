package io.github.resilientsession.checker;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

import io.github.resilientsession.testsupport.RedisServer;
import io.lettuce.core.KillArgs;
import io.lettuce.core.RedisException;
import io.lettuce.core.SetArgs;
import io.lettuce.core.api.sync.RedisCommands;
import org.awaitility.Awaitility;

/**
 * The faults of a Redis. What loses data goes on the timeline.
 */
final class RedisFaults {

	/**
	 * How old a snapshot or a replica is when it takes over.
	 */
	private static final long LAG_MILLIS = 1_500;

	private final Cluster cluster;

	private final Timeline timeline;

	private volatile Timeline.Loss evicting;

	RedisFaults(Cluster cluster, Timeline timeline) {
		this.cluster = cluster;
		this.timeline = timeline;
	}

	/**
	 * A fault, or {@code null} if it is none of Redis.
	 * @param duration how long it is going to last
	 */
	Fault of(FaultKind kind, Duration duration) {
		return switch (kind) {
			case REDIS_KILLED -> fault((over) -> losing(() -> redis().kill()), () -> redis().restartEmpty());
			case REDIS_HUNG -> fault((over) -> redis().pause(), () -> redis().resume());
			case REDIS_RESTARTED_EMPTY -> fault((over) -> losing(() -> redis().restartEmpty()), () -> {
			});
			case REDIS_RESTARTED_FROM_SNAPSHOT -> fault(this::restartFromSnapshot, () -> {
			});
			case REDIS_LAGGING_REPLICA_PROMOTED -> fault(this::promoteLaggingReplica, () -> {
			});
			case REDIS_REPLICA_PROMOTED -> fault((over) -> promoteReplica(), () -> {
			});
			case REDIS_OUT_OF_MEMORY -> fault((over) -> configure("maxmemory", "1"), () -> configure("maxmemory", "0"));
			case REDIS_EVICTING -> fault(this::flood, this::endFlood);
			case REDIS_FLUSHED ->
				fault((over) -> losing(() -> this.cluster.administer(RedisCommands::flushall)), () -> {
				});
			case REDIS_READ_ONLY -> fault((over) -> this.cluster.administer((redis) -> redis.replicaof("127.0.0.1", 1)),
					() -> this.cluster.administer(RedisCommands::replicaofNoOne));
			case REDIS_PAUSED ->
				fault((over) -> this.cluster.administer((redis) -> redis.clientPause(duration.toMillis())), () -> {
				});
			case REDIS_PASSWORD_SET -> fault((over) -> setPassword(), () -> configure("requirepass", ""));
			case REDIS_SCRIPTS_FLUSHED -> fault(this::flushScripts, () -> {
			});
			default -> null;
		};
	}

	private RedisServer redis() {
		return this.cluster.redis();
	}

	private void configure(String name, String value) {
		this.cluster.administer((redis) -> redis.configSet(name, value));
	}

	private void losing(Runnable loss) {
		Timeline.Loss lost = this.timeline.redisLoses(Long.MIN_VALUE);
		try {
			loss.run();
		}
		finally {
			lost.end();
		}
	}

	private void restartFromSnapshot(CountDownLatch over) throws Exception {
		long writtenAfter = this.timeline.now();
		Path snapshot = redis().snapshot();
		over.await(LAG_MILLIS, TimeUnit.MILLISECONDS);
		Timeline.Loss lost = this.timeline.redisLoses(writtenAfter);
		redis().restartFrom(snapshot);
		lost.end();
		Files.deleteIfExists(snapshot);
	}

	/**
	 * A replica that has lost its master stops where it is, as one that lags does. What
	 * the master acknowledges from then on is lost with it.
	 */
	private void promoteLaggingReplica(CountDownLatch over) throws Exception {
		RedisServer master = redis();
		RedisServer replica = RedisServer.start();
		replica.call((redis) -> redis.replicaof(master.host(), master.port()));
		Awaitility.await()
			.atMost(Duration.ofSeconds(10))
			.until(() -> replica.call((redis) -> redis.info("replication")).contains("master_link_status:up"));
		long writtenAfter = this.timeline.now();
		replica.call(RedisCommands::replicaofNoOne);
		over.await(LAG_MILLIS, TimeUnit.MILLISECONDS);
		Timeline.Loss lost = this.timeline.redisLoses(writtenAfter);
		master.kill();
		this.cluster.promote(replica);
		lost.end();
	}

	/**
	 * A replica follows until its master dies. Replication is asynchronous: what the
	 * master acknowledges in its last moments may be lost with it.
	 */
	private void promoteReplica() {
		RedisServer master = redis();
		RedisServer replica = RedisServer.start();
		replica.replicaOf(master);
		long writtenAfter = this.timeline.now();
		replica.awaitReplicated(master);
		Timeline.Loss lost = this.timeline.redisLoses(writtenAfter);
		master.kill();
		replica.promote();
		this.cluster.promote(replica);
		lost.end();
	}

	/**
	 * Foreign keys without end, in a memory that has room for few.
	 */
	private void flood(CountDownLatch over) throws InterruptedException {
		// Until there is room again: what is written last may be evicted as well.
		this.evicting = this.timeline.redisLoses(Long.MIN_VALUE);
		long used = number("memory", "used_memory:");
		this.cluster.administer((redis) -> {
			redis.configSet("maxmemory-policy", "allkeys-lru");
			redis.configSet("maxmemory", Long.toString(used + 200_000));
			return true;
		});
		long evicted = evictedKeys();
		String kilobyte = "x".repeat(1_000);
		for (int i = 0; over.getCount() > 0; i++) {
			String prefix = "foreign:" + i + ":";
			try {
				this.cluster.administer((redis) -> {
					for (int j = 0; j < 300; j++) {
						redis.set(prefix + j, kilobyte, SetArgs.Builder.px(20_000));
					}
					return true;
				});
			}
			catch (RedisException ex) {
				// The other fault strikes us, too.
			}
			over.await(50, TimeUnit.MILLISECONDS);
		}
		if (evictedKeys() == evicted) {
			throw new IllegalStateException("Nothing was evicted");
		}
	}

	private long evictedKeys() {
		return number("stats", "evicted_keys:");
	}

	private long number(String section, String field) {
		return this.cluster.administer((redis) -> redis.info(section)
			.lines()
			.filter((line) -> line.startsWith(field))
			.mapToLong((line) -> Long.parseLong(line.substring(field.length()).trim()))
			.findFirst()
			.orElseThrow());
	}

	private void endFlood() {
		configure("maxmemory-policy", "noeviction");
		configure("maxmemory", "0");
		if (this.evicting != null) {
			this.evicting.end();
		}
	}

	private void setPassword() {
		this.cluster.administer((redis) -> {
			redis.configSet("requirepass", Cluster.PASSWORD);
			// A connection that is there stays logged in: only the next one is refused.
			return redis.clientKill(KillArgs.Builder.typeNormal().skipme());
		});
	}

	private void flushScripts(CountDownLatch over) throws InterruptedException {
		do {
			this.cluster.administer(RedisCommands::scriptFlush);
		}
		while (!over.await(200, TimeUnit.MILLISECONDS));
	}

	static Fault fault(Injection injection, Healing healing) {
		return new Fault() {

			@Override
			public void inject(CountDownLatch over) throws Exception {
				injection.inject(over);
			}

			@Override
			public void heal() throws Exception {
				healing.heal();
			}

		};
	}

	/**
	 * What lets something go wrong.
	 */
	interface Injection {

		void inject(CountDownLatch over) throws Exception;

	}

	/**
	 * What puts it right.
	 */
	interface Healing {

		void heal() throws Exception;

	}

}

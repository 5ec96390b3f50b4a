package io.github.resilientsession.autoconfigure;

import java.time.Duration;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

import io.github.resilientsession.UnreadableAttributePolicy;
import io.github.resilientsession.doctor.DoctorSettings;
import io.github.resilientsession.durable.Platform;
import io.github.resilientsession.flow.Mode;
import io.github.resilientsession.record.TtlPolicy;
import org.jspecify.annotations.Nullable;

import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;
import org.springframework.boot.convert.DurationStyle;
import org.springframework.boot.sql.init.DatabaseInitializationMode;
import org.springframework.util.unit.DataSize;

/**
 * The settings under {@code resilient-session}.
 *
 * @param enabled whether sessions are kept by Resilient Session; if not, Spring Boot's
 * own session support takes over
 * @param mode which store is the truth: "shadow" while plain Spring Session nodes still
 * serve the same sessions, "active" otherwise
 * @param strict whether writes are refused while the database is down; otherwise Redis
 * keeps them until it is back
 * @param ttl how long a session may live without being used
 * @param maxSessionSize how large the attributes of a session may be together; a larger
 * session is refused when it is saved
 * @param unreadableAttributes what reading an attribute does that cannot be deserialized
 * any more
 * @param retryAfter what a 503 tells the client to wait
 * @param reconcileInterval how often touches are written to the durable store, and Redis
 * is told of what it missed
 * @param expiryInterval how often expired sessions are looked for, so that their
 * listeners are told and their rows removed
 * @param redis the Redis tier
 * @param durable the durable tier
 * @param load the bounds of what misses in Redis may do to the durable store
 * @param resync bringing Redis to agree with the database after it has lost data
 * @param datasource a database of its own for sessions; the application's by default
 * @param doctor looking at the Redis server for what costs sessions
 * @param ttlAudit looking for sessions in Redis that have no TTL
 * @param health what is shown as the health of the stores
 */
@ConfigurationProperties("resilient-session")
public record ResilientSessionProperties(@DefaultValue("true") boolean enabled, @DefaultValue("active") Mode mode,
		@DefaultValue("false") boolean strict, @DefaultValue Ttl ttl, @DefaultValue("1MB") DataSize maxSessionSize,
		@DefaultValue("quarantine") UnreadableAttributePolicy unreadableAttributes,
		@DefaultValue("5s") Duration retryAfter, @DefaultValue("1s") Duration reconcileInterval,
		@DefaultValue("30s") Duration expiryInterval, @DefaultValue Redis redis, @DefaultValue Durable durable,
		@DefaultValue Load load, @DefaultValue Resync resync, @DefaultValue Datasource datasource,
		@DefaultValue Doctor doctor, @DefaultValue TtlAudit ttlAudit, @DefaultValue Health health) {

	/**
	 * Check what single settings cannot say.
	 * @throws ContradictorySettingsException with all that is wrong
	 */
	void validate() {
		List<String> problems = new ArrayList<>();
		require(problems, this.ttl.min().toSeconds() >= 1, "resilient-session.ttl.min must be at least 1s");
		require(problems, this.ttl.max().compareTo(this.ttl.min()) >= 0,
				"resilient-session.ttl.max (" + text(this.ttl.max())
						+ ") must not be less than resilient-session.ttl.min (" + text(this.ttl.min()) + ")");
		require(problems, this.ttl.max().toSeconds() <= Integer.MAX_VALUE,
				"resilient-session.ttl.max must be at most 2147483647 seconds");
		require(problems, this.maxSessionSize.toBytes() > 0, "resilient-session.max-session-size must be positive");
		require(problems, this.retryAfter.toSeconds() >= 1,
				"resilient-session.retry-after must be at least 1s: a client is told whole seconds");
		positive(problems, this.reconcileInterval, "reconcile-interval");
		positive(problems, this.expiryInterval, "expiry-interval");
		positive(problems, this.redis.timeLimit(), "redis.time-limit");
		positive(problems, this.redis.probeInterval(), "redis.probe-interval");
		positive(problems, this.durable.probeInterval(), "durable.probe-interval");
		require(problems, this.durable.timeLimit().toMillis() >= 500,
				"resilient-session.durable.time-limit must be at least 500ms, half of which is for getting a "
						+ "connection");
		require(problems, !this.durable.touchGrace().isNegative(),
				"resilient-session.durable.touch-grace must not be negative, but is "
						+ text(this.durable.touchGrace()));
		require(problems, this.reconcileInterval.compareTo(this.durable.touchGrace()) < 0,
				"resilient-session.reconcile-interval (" + text(this.reconcileInterval)
						+ ") must be less than resilient-session.durable.touch-grace ("
						+ text(this.durable.touchGrace())
						+ "), or a session may expire in the database before the database knows of its last use");
		require(problems, this.load.maxBatchSize() >= 1 && this.load.maxBatchSize() <= 1_000,
				"resilient-session.load.max-batch-size must be between 1 and 1000");
		require(problems, this.load.maxConcurrentLoads() >= 1,
				"resilient-session.load.max-concurrent-loads must be at least 1");
		require(problems, this.load.maxConcurrentLoads() < this.durable.maxConnections(),
				"resilient-session.load.max-concurrent-loads (" + this.load.maxConcurrentLoads()
						+ ") must be less than resilient-session.durable.max-connections ("
						+ this.durable.maxConnections() + "), or reads leave no connection for writes");
		require(problems, this.load.queueCapacity() >= this.load.maxBatchSize(),
				"resilient-session.load.queue-capacity must not be less than resilient-session.load.max-batch-size");
		require(problems, this.load.timeLimit().compareTo(this.durable.timeLimit()) >= 0,
				"resilient-session.load.time-limit (" + text(this.load.timeLimit())
						+ ") must not be less than resilient-session.durable.time-limit ("
						+ text(this.durable.timeLimit()) + "), since a load includes a query");
		require(problems, this.resync.sessionsPerSecond() >= 1,
				"resilient-session.resync.sessions-per-second must be at least 1");
		require(problems, this.resync.memoryHeadroom() >= 0 && this.resync.memoryHeadroom() <= 1,
				"resilient-session.resync.memory-headroom must be between 0 and 1, but is "
						+ this.resync.memoryHeadroom());
		this.doctor.validate(problems);
		positive(problems, this.ttlAudit.interval(), "ttl-audit.interval");
		require(problems, this.ttlAudit.keysPerSecond() >= 1,
				"resilient-session.ttl-audit.keys-per-second must be at least 1");
		if (!problems.isEmpty()) {
			throw new ContradictorySettingsException(problems);
		}
	}

	/**
	 * Check the timeout of new sessions, which is configured elsewhere.
	 * @param timeout from {@code spring.session.timeout} or
	 * {@code server.servlet.session.timeout}
	 * @throws ContradictorySettingsException if such sessions would be rejected
	 */
	void validateTimeout(Duration timeout) {
		TtlPolicy policy = new TtlPolicy(this.ttl.min(), this.ttl.max(), this.ttl.onViolation());
		if (policy.onViolation() == TtlPolicy.OnViolation.REJECT && policy.isViolatedBy(timeout)) {
			throw new ContradictorySettingsException(List.of("the session timeout " + text(timeout)
					+ " (spring.session.timeout or server.servlet.session.timeout) is not between "
					+ "resilient-session.ttl.min (" + text(this.ttl.min()) + ") and resilient-session.ttl.max ("
					+ text(this.ttl.max()) + "), and resilient-session.ttl.on-violation is reject"));
		}
	}

	private static void positive(List<String> problems, Duration value, String name) {
		require(problems, !value.isZero() && !value.isNegative(),
				"resilient-session." + name + " must be positive, not " + text(value));
	}

	private static String text(Duration duration) {
		ChronoUnit unit = Stream.of(ChronoUnit.DAYS, ChronoUnit.HOURS, ChronoUnit.MINUTES, ChronoUnit.SECONDS)
			.filter((candidate) -> duration.toMillis() % candidate.getDuration().toMillis() == 0)
			.findFirst()
			.orElse(ChronoUnit.MILLIS);
		return DurationStyle.SIMPLE.print(duration, unit);
	}

	private static void require(List<String> problems, boolean holds, String problem) {
		if (!holds) {
			problems.add(problem);
		}
	}

	/**
	 * How long a session may live without being used.
	 *
	 * @param min the shortest interval allowed, at least one second
	 * @param max the longest interval allowed, also for sessions that ask never to expire
	 * @param onViolation what happens to an interval outside of that
	 */
	public record Ttl(@DefaultValue("1s") Duration min, @DefaultValue("30d") Duration max,
			@DefaultValue("clamp") TtlPolicy.OnViolation onViolation) {

	}

	/**
	 * The Redis tier.
	 *
	 * @param url a Redis of its own for sessions, as redis:// or rediss:// URL; the
	 * application's by default
	 * @param timeLimit how long a command may take
	 * @param probeInterval how often to look whether a Redis that was cut off is back
	 */
	public record Redis(@Nullable String url, @DefaultValue("250ms") Duration timeLimit,
			@DefaultValue("200ms") Duration probeInterval) {

	}

	/**
	 * The durable tier.
	 *
	 * @param timeLimit how long a statement may take, getting its connection included
	 * @param probeInterval how often to look whether a database that was cut off is back
	 * @param maxConnections how many connections sessions may use at once
	 * @param touchGrace how much longer than its timeout a session's row lives at most,
	 * so that touches can be written in batches; never more than a twentieth of the
	 * timeout
	 * @param initializeSchema when to create the table: always, never, or only in an
	 * embedded database
	 * @param platform the kind of database, where it cannot be told from its URL
	 */
	public record Durable(@DefaultValue("2s") Duration timeLimit, @DefaultValue("500ms") Duration probeInterval,
			@DefaultValue("8") int maxConnections, @DefaultValue("30s") Duration touchGrace,
			@DefaultValue("embedded") DatabaseInitializationMode initializeSchema, @Nullable Platform platform) {

	}

	/**
	 * The bounds of what misses in Redis may do to the durable store.
	 *
	 * @param maxConcurrentLoads how many queries for missed sessions may run at once
	 * @param maxBatchSize how many distinct sessions one query may load
	 * @param queueCapacity how many distinct sessions may wait to be loaded; more are
	 * answered with 503
	 * @param timeLimit how long a read may wait for its session, queueing included
	 */
	public record Load(@DefaultValue("4") int maxConcurrentLoads, @DefaultValue("100") int maxBatchSize,
			@DefaultValue("10000") int queueCapacity, @DefaultValue("3s") Duration timeLimit) {

	}

	/**
	 * Bringing Redis to agree with the database after Redis has lost data or has got
	 * older data back.
	 *
	 * @param sessionsPerSecond how many sessions are looked at per second at most
	 * @param memoryHeadroom the part of Redis's memory, from 0 to 1, that sessions put
	 * back into it leave free: of its maxmemory, or of the machine's memory where that is
	 * not set
	 */
	public record Resync(@DefaultValue("5000") int sessionsPerSecond, @DefaultValue("0.2") double memoryHeadroom) {

	}

	/**
	 * A database of its own for sessions.
	 *
	 * @param url its JDBC URL
	 * @param username the user
	 * @param password the password
	 * @param driverClassName the driver, where it cannot be told from the URL
	 */
	public record Datasource(@Nullable String url, @Nullable String username, @Nullable String password,
			@Nullable String driverClassName) {

	}

	/**
	 * Looking at the Redis server for what costs sessions, or will.
	 *
	 * @param enabled whether to look
	 * @param interval how often to look
	 * @param onCritical what a critical finding does to an application that starts: it is
	 * logged, or the application does not start
	 * @param memoryLimit the memory that Redis's container has, which Redis does not see;
	 * by default what Redis sees
	 * @param memoryWarning the part of its memory, from 0 to 1, that Redis may use
	 * without a warning
	 * @param memoryCritical the part from which on it is critical
	 * @param maxFragmentation how many times as much memory Redis may have from the
	 * system as it uses
	 * @param maxReplicaLag how far behind a replica may be
	 * @param fullWithin how far ahead a Redis that will be full is worth a warning
	 * @param slowScript how long a script may keep Redis from answering
	 */
	public record Doctor(@DefaultValue("true") boolean enabled, @DefaultValue("10s") Duration interval,
			@DefaultValue("warn") DoctorSettings.OnCritical onCritical, @Nullable DataSize memoryLimit,
			@DefaultValue("0.8") double memoryWarning, @DefaultValue("0.95") double memoryCritical,
			@DefaultValue("1.5") double maxFragmentation, @DefaultValue("60s") Duration maxReplicaLag,
			@DefaultValue("2h") Duration fullWithin, @DefaultValue("50ms") Duration slowScript) {

		private void validate(List<String> problems) {
			positive(problems, this.interval, "doctor.interval");
			positive(problems, this.maxReplicaLag, "doctor.max-replica-lag");
			positive(problems, this.fullWithin, "doctor.full-within");
			positive(problems, this.slowScript, "doctor.slow-script");
			require(problems, this.memoryLimit == null || this.memoryLimit.toBytes() > 0,
					"resilient-session.doctor.memory-limit must be positive");
			require(problems, this.memoryWarning > 0 && this.memoryWarning <= 1,
					"resilient-session.doctor.memory-warning must be more than 0 and at most 1, but is "
							+ this.memoryWarning);
			require(problems, this.memoryCritical > 0 && this.memoryCritical <= 1,
					"resilient-session.doctor.memory-critical must be more than 0 and at most 1, but is "
							+ this.memoryCritical);
			require(problems, this.memoryCritical >= this.memoryWarning,
					"resilient-session.doctor.memory-critical (" + this.memoryCritical
							+ ") must not be less than resilient-session.doctor.memory-warning (" + this.memoryWarning
							+ ")");
			require(problems, this.enabled || this.onCritical == DoctorSettings.OnCritical.WARN,
					"resilient-session.doctor.on-critical: fail has no effect with resilient-session.doctor.enabled: "
							+ "false");
			require(problems, this.maxFragmentation >= 1,
					"resilient-session.doctor.max-fragmentation must be at least 1, but is " + this.maxFragmentation);
		}

		DoctorSettings settings() {
			return new DoctorSettings(this.enabled, this.interval, this.onCritical,
					(this.memoryLimit != null) ? this.memoryLimit.toBytes() : null, this.memoryWarning,
					this.memoryCritical, this.maxFragmentation, this.maxReplicaLag, this.fullWithin, this.slowScript);
		}

	}

	/**
	 * Looking for sessions in Redis that have no TTL, and giving them one.
	 *
	 * @param enabled whether to look by itself; the endpoint can ask for it all the same
	 * @param interval how long from the end of one search to the next, of all nodes
	 * @param keysPerSecond how many keys to look at per second at most
	 * @param dryRun whether to count only
	 */
	public record TtlAudit(@DefaultValue("true") boolean enabled, @DefaultValue("1h") Duration interval,
			@DefaultValue("1000") int keysPerSecond, @DefaultValue("false") boolean dryRun) {

	}

	/**
	 * What is shown as the health of the stores.
	 *
	 * @param degradeStores whether Spring Boot's own "redis" and "db" are DEGRADED where
	 * they would be DOWN, if they are about the stores that sessions use
	 */
	public record Health(@DefaultValue("true") boolean degradeStores) {

	}

}

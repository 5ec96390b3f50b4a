package io.github.resilientsession.doctor;

import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;

import io.github.resilientsession.redis.ServerInfo;
import org.jspecify.annotations.Nullable;

/**
 * What only several looks at a server tell: what rises, what has gone, and when Redis
 * will be full. Used by one thread.
 */
final class History {

	/**
	 * How long something that happened is a finding.
	 */
	private static final Duration RECENT = Duration.ofMinutes(5);

	/**
	 * How long a replica that has gone is missed.
	 */
	private static final Duration MISSED = Duration.ofHours(1);

	private final DoctorSettings settings;

	private final MemoryTrend trend;

	private final ReplicaLag lag = new ReplicaLag();

	private final Counter evicted = new Counter("evicted_keys");

	private final Counter rejected = new Counter("rejected_connections");

	private final Counter delayedFsyncs = new Counter("aof_delayed_fsync");

	private String runId = "";

	private int replicas;

	private Instant replicasSeen = Instant.EPOCH;

	History(DoctorSettings settings) {
		this.settings = settings;
		this.trend = new MemoryTrend(settings.interval());
	}

	/**
	 * Add a look, and say what has come to light.
	 * @param refilling whether sessions are put back into Redis, which ends where it
	 * leaves enough memory free
	 * @return what the looks tell together
	 */
	Trends add(Look look, boolean refilling, Findings findings) {
		String id = look.info().text("run_id").orElse(this.runId);
		boolean anew = !id.equals(this.runId);
		if (anew) {
			this.runId = id;
			this.trend.clear();
			this.lag.clear();
			this.evicted.restart();
			this.rejected.restart();
			this.delayedFsyncs.restart();
		}
		evictions(look, findings);
		if (this.rejected.add(look)) {
			findings.add(Check.CLIENTS, Severity.CRITICAL,
					"Redis has turned clients away: it has all that it may have.",
					"A node that starts or reconnects gets no connection.",
					"CONFIG SET maxclients, and look for clients that do not close their connections (CLIENT LIST).");
		}
		if (this.delayedFsyncs.add(look)) {
			findings.add(Check.PERSISTENCE, Severity.WARNING,
					"The disk is too slow for the append-only file of Redis (aof_delayed_fsync).",
					"Redis stands still while it waits for the disk, and requests with it.",
					"Use a faster disk, or CONFIG SET no-appendfsync-on-rewrite yes.");
		}
		if (refilling) {
			this.trend.clear();
		}
		look.info().number("used_memory").ifPresent((used) -> this.trend.add(look.at(), used));
		return new Trends(this.trend.untilFull(look.capacity(this.settings)), replication(look, findings),
				this.evicted.total(), anew);
	}

	private void evictions(Look look, Findings findings) {
		String why = "Sessions may be among them. The database still has them, and is asked for each of them again.";
		String fix = "Give Redis memory that there is (CONFIG SET maxmemory) or fewer keys, and then CONFIG SET "
				+ "maxmemory-policy noeviction. resilient_session_misses_total{cause=\"lost\"} tells how many were "
				+ "sessions.";
		if (this.evicted.add(look)) {
			findings.add(Check.EVICTIONS, Severity.CRITICAL,
					"Redis evicts keys: " + this.evicted.recent() + " in the last minutes.", why, fix);
		}
		else if (look.number("evicted_keys") > 0) {
			findings.add(Check.EVICTIONS, Severity.WARNING, "Redis has evicted "
					+ Math.round(look.number("evicted_keys")) + " keys since it was started, none of them just now.",
					why, fix);
		}
	}

	/**
	 * @return how far behind the last of the replicas is, if there are any
	 */
	private Optional<Duration> replication(Look look, Findings findings) {
		if (look.info().text("role").isEmpty() || ServerChecks.isCluster(look)) {
			return Optional.empty();
		}
		if (look.info().text("role").filter("slave"::equals).isPresent()) {
			findings.add(Check.REPLICATION, Severity.CRITICAL, "This Redis is a replica.",
					"It refuses writes; sessions are served by the database alone.",
					"Let spring.data.redis or resilient-session.redis.url name the master, or its Sentinels.");
			return Optional.empty();
		}
		this.lag.add(look);
		Duration worst = Duration.ZERO;
		List<ServerInfo> all = look.info().list("slave");
		for (ServerInfo replica : all) {
			Duration behind = this.lag.of(replica, look.at());
			worst = (behind.compareTo(worst) > 0) ? behind : worst;
			replica(replica, behind, findings);
		}
		if (all.size() >= this.replicas || look.at().isAfter(this.replicasSeen.plus(MISSED))) {
			this.replicas = all.size();
			this.replicasSeen = look.at();
		}
		else {
			findings.add(Check.REPLICATION, Severity.WARNING,
					"Of " + this.replicas + " replicas, " + all.size() + " are left.",
					"If the master fails now, there may be nothing to fail over to, or an older state.",
					"Start the replica again, or see why the link to it is down (INFO replication).");
		}
		return all.isEmpty() ? Optional.empty() : Optional.of(worst);
	}

	private void replica(ServerInfo replica, Duration behind, Findings findings) {
		boolean online = replica.text("state").filter("online"::equals).isPresent();
		if (online && behind.compareTo(this.settings.maxReplicaLag()) > 0) {
			findings.add(Check.REPLICATION, Severity.WARNING,
					"A replica is " + behind.toSeconds() + " s behind, or has not confirmed anything for so long.",
					"If it is promoted now, Redis goes back to what it was then; every copy has to be compared with the "
							+ "database first.",
					"Look at the replica's machine and at the network between (INFO replication).");
		}
		else if (!online) {
			findings.add(Check.REPLICATION, Severity.WARNING,
					"A replica is not in step: its state is " + replica.text("state").orElse("unknown") + ".",
					"If the master fails now, there may be nothing to fail over to.",
					"Look at the replica's log; if it goes on, at client-output-buffer-limit and repl-backlog-size.");
		}
	}

	/**
	 * What several looks tell together.
	 *
	 * @param untilFull how long until Redis is full, if it grows
	 * @param replicaLag how far behind the last of the replicas is, if there are any
	 * @param evicted how many keys Redis has evicted since the first look
	 * @param anew whether this is another Redis than before, or another life of it
	 */
	record Trends(Optional<Duration> untilFull, Optional<Duration> replicaLag, long evicted, boolean anew) {

	}

	/**
	 * A number that rises while something goes wrong.
	 */
	private static final class Counter {

		private final String field;

		private @Nullable Double last;

		private double before;

		private double total;

		private Instant rose = Instant.EPOCH;

		Counter(String field) {
			this.field = field;
		}

		/**
		 * Redis counts from zero again.
		 */
		void restart() {
			this.last = null;
			this.before = 0;
			this.rose = Instant.EPOCH;
		}

		/**
		 * @return whether it has risen within the last minutes
		 */
		boolean add(Look look) {
			OptionalDouble value = look.info().number(this.field);
			if (value.isPresent()) {
				add(value.getAsDouble(), look.at());
			}
			return !look.at().isAfter(this.rose.plus(RECENT));
		}

		private void add(double now, Instant at) {
			Double seen = this.last;
			if (seen != null) {
				this.total += (now < seen) ? now : now - seen;
			}
			if (seen != null && now < seen) {
				restart();
			}
			else if (seen != null && now > seen) {
				if (at.isAfter(this.rose.plus(RECENT))) {
					this.before = seen;
				}
				this.rose = at;
			}
			this.last = now;
		}

		/**
		 * By how much it has risen since the first look.
		 */
		long total() {
			return Math.round(this.total);
		}

		/**
		 * By how much it has risen since it began to.
		 */
		long recent() {
			Double seen = this.last;
			return (seen != null) ? Math.round(seen - this.before) : 0;
		}

	}

}

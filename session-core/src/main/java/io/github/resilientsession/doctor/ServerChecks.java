package io.github.resilientsession.doctor;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

import io.github.resilientsession.redis.KeySample;
import io.github.resilientsession.redis.ServerInfo;
import io.github.resilientsession.redis.SlowScript;

import static io.github.resilientsession.doctor.Findings.percent;

/**
 * Whether the server is what sessions need: of what kind it is, what else is in it, who
 * else uses it, and whether it can save its data.
 */
final class ServerChecks {

	/**
	 * In microseconds: longer than this a fork keeps everybody waiting.
	 */
	private static final double SLOW_FORK = 100_000;

	private static final long SLOW_SCRIPTS_SECONDS = 600;

	private static final Pattern VERSION = Pattern.compile("^(\\d{1,9})\\.(\\d{1,9})");

	private static final int OLDEST_MAJOR = 6;

	private static final int OLDEST_MINOR = 2;

	private static final List<String> EXPECTED_FIELDS = List.of("redis_version", "run_id", "maxmemory",
			"maxmemory_policy", "used_memory", "used_memory_rss", "total_system_memory", "evicted_keys",
			"mem_fragmentation_ratio", "connected_clients", "maxclients", "rejected_connections", "role",
			"connected_slaves", "aof_enabled", "rdb_last_bgsave_status");

	private final DoctorSettings settings;

	private final Findings findings;

	ServerChecks(DoctorSettings settings, Findings findings) {
		this.settings = settings;
		this.findings = findings;
	}

	void check(Look look) {
		persistence(look);
		look.sample().ifPresent((sample) -> sample(look, sample));
		look.slowScripts().ifPresent((scripts) -> slowScripts(look, scripts));
		clients(look);
		version(look.info());
		visibility(look);
	}

	private void persistence(Look look) {
		if (failed(look, "rdb_last_bgsave_status")) {
			boolean refuses = look.refusesWritesAfterFailedSave();
			this.findings.add(Check.PERSISTENCE, refuses ? Severity.CRITICAL : Severity.WARNING,
					"Redis could not save its data last time.",
					refuses ? "It refuses all writes until it can (stop-writes-on-bgsave-error)."
							: "It refuses nothing for that; what is saved is old.",
					"Look at its log and its disk. If sessions are all that is in it, turn saving off (CONFIG SET save "
							+ "\"\": the database has them); BGSAVE then clears this.");
		}
		if (failed(look, "aof_last_write_status")) {
			this.findings.add(Check.PERSISTENCE, Severity.CRITICAL, "Redis cannot write its append-only file.",
					"It refuses all writes until it can.", "Look at its log and its disk.");
		}
		if (failed(look, "aof_last_bgrewrite_status")) {
			this.findings.add(Check.PERSISTENCE, Severity.WARNING,
					"Redis could not rewrite its append-only file last time.",
					"The file grows until the disk is full, and then all writes are refused.",
					"Look at its log, its disk and its memory.");
		}
		if (look.number("aof_enabled") > 0 && look.appendfsync().filter("always"::equals).isPresent()) {
			this.findings.add(Check.PERSISTENCE, Severity.WARNING,
					"Redis waits for its disk at every write (appendfsync always).",
					"Requests wait with it, for a safety that the database gives already.",
					"CONFIG SET appendfsync everysec (and in redis.conf).");
		}
		if (look.forks() && look.number("latest_fork_usec") > SLOW_FORK) {
			this.findings.add(Check.PERSISTENCE, Severity.WARNING,
					"Redis stands still for " + Math.round(look.number("latest_fork_usec") / 1_000)
							+ " ms each time it begins to save its data.",
					"Meanwhile every request waits, or goes to the database.",
					"Save less often or not at all (CONFIG SET save \"\": the database has the sessions), or let a "
							+ "replica do it; turn transparent huge pages off.");
		}
	}

	private static boolean failed(Look look, String field) {
		return look.info().text(field).filter("err"::equals).isPresent();
	}

	private void sample(Look look, KeySample sample) {
		if (sample.foreign() > 0) {
			this.findings.add(Check.SHARED_INSTANCE, Severity.WARNING,
					"About " + percent((double) sample.foreign() / sample.size())
							+ " of some keys picked at random in this Redis were not sessions.",
					"What fills it or makes it slow makes it so for sessions too, and no eviction policy is right for "
							+ "both a cache and sessions.",
					"Give sessions a Redis of their own (resilient-session.redis.url).");
		}
		else if (look.info().list("db").size() > 1) {
			this.findings.add(Check.SHARED_INSTANCE, Severity.WARNING,
					"There are keys in other databases of this Redis.",
					"They share its memory, its only thread and its eviction policy.",
					"Give sessions a Redis of their own (resilient-session.redis.url).");
		}
		if (sample.immortal() > 0) {
			this.findings.add(Check.KEYS_WITHOUT_TTL, Severity.WARNING,
					"Of " + sample.size() + " keys picked at random, " + sample.immortal()
							+ " were sessions without a TTL.",
					"They never expire, fill Redis, and keep what should be gone. This library gives every key one: "
							+ "other software has written them.",
					"The TTL audit gives them one: see resilient-session.ttl-audit.");
		}
	}

	private void slowScripts(Look look, List<SlowScript> scripts) {
		// By Redis's own clock.
		long now = look.info()
			.number("server_time_usec")
			.stream()
			.mapToLong((usec) -> (long) (usec / 1_000_000))
			.findFirst()
			.orElse(look.at().getEpochSecond());
		List<SlowScript> slow = scripts.stream()
			.filter((script) -> now - script.at() <= SLOW_SCRIPTS_SECONDS)
			.filter((script) -> script.took().compareTo(this.settings.slowScript()) >= 0)
			.toList();
		Optional<SlowScript> slowest = slow.stream().max((one, other) -> one.took().compareTo(other.took()));
		if (slowest.isEmpty()) {
			return;
		}
		boolean ours = slowest.get().ours();
		this.findings.add(Check.SLOW_SCRIPTS, Severity.WARNING,
				"In the last ten minutes a script " + (ours ? "of this library" : "of other software")
						+ " kept Redis from answering for " + slowest.get().took().toMillis() + " ms.",
				"Redis does one thing at a time: meanwhile every request waits, or goes to the database.",
				ours ? "Look for a machine that is short of processor time, or for very large sessions "
						+ "(resilient-session.max-session-size)."
						: "SLOWLOG GET tells which; give sessions a Redis of their own (resilient-session.redis.url).");
	}

	private void clients(Look look) {
		double maximum = look.number("maxclients");
		double part = (maximum > 0) ? look.number("connected_clients") / maximum : 0;
		if (part < this.settings.memoryWarning()) {
			return;
		}
		this.findings.add(Check.CLIENTS,
				(part >= this.settings.memoryCritical()) ? Severity.CRITICAL : Severity.WARNING,
				"Redis has " + Math.round(look.number("connected_clients")) + " clients of at most "
						+ Math.round(maximum) + ".",
				"When it has all, it turns away nodes that start or reconnect.",
				"CONFIG SET maxclients, and look for clients that do not close their connections (CLIENT LIST).");
	}

	private void version(ServerInfo info) {
		String version = info.text("redis_version").orElse("");
		Optional<String> other = Stream.of("valkey", "dragonfly", "keydb")
			.filter((name) -> info.text(name + "_version").isPresent()
					|| info.text("server_name").filter(name::equalsIgnoreCase).isPresent()
					|| info.text("executable").filter((path) -> path.contains(name + "-server")).isPresent())
			.findFirst();
		if (isTooOld(version)) {
			this.findings.add(Check.SERVER_VERSION, Severity.CRITICAL, "This is Redis " + version + ".",
					"Resilient Session needs Redis 6.2 or later.", "Upgrade it.");
		}
		else if (other.isPresent()) {
			this.findings.add(Check.SERVER_VERSION, Severity.NOTICE,
					"This is " + other.get() + " " + info.text(other.get() + "_version").orElse("")
							+ ", which answers as Redis " + version + ".",
					"Resilient Session is tested with Redis; what this server tells of itself may mean something else.",
					"Nothing, as long as no other finding says so.");
		}
	}

	static boolean isCluster(Look look) {
		return look.info().text("redis_mode").filter("cluster"::equals).isPresent();
	}

	private static boolean isTooOld(String version) {
		Matcher parts = VERSION.matcher(version);
		if (!parts.find()) {
			return false;
		}
		int major = Integer.parseInt(parts.group(1));
		return major < OLDEST_MAJOR || (major == OLDEST_MAJOR && Integer.parseInt(parts.group(2)) < OLDEST_MINOR);
	}

	private void visibility(Look look) {
		String fix = "Allow it (ACL SETUSER <user> +info +randomkey +slowlog|get), or watch these where the server is "
				+ "managed.";
		if (look.info().isEmpty()) {
			this.findings.add(Check.VISIBILITY, Severity.NOTICE, "Redis does not let this user ask INFO.",
					"Nothing can be said about its memory, its evictions, its replicas and its persistence.", fix);
			return;
		}
		List<String> missing = new ArrayList<>(
				EXPECTED_FIELDS.stream().filter((name) -> look.info().text(name).isEmpty()).toList());
		if (isCluster(look)) {
			missing.add("anything of the other shards of the cluster");
		}
		if (look.sample().isEmpty()) {
			missing.add("a sample of the keys");
		}
		if (look.slowScripts().isEmpty()) {
			missing.add("the log of slow commands");
		}
		if (!missing.isEmpty()) {
			this.findings.add(Check.VISIBILITY, Severity.NOTICE,
					"Redis does not tell: " + String.join(", ", missing) + ".",
					"Nothing can be said about what depends on it.", fix);
		}
	}

}

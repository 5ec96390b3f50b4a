package io.github.resilientsession.benchmark;

import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

import io.github.resilientsession.SessionNode;
import io.github.resilientsession.testsupport.PostgresServer;
import io.github.resilientsession.testsupport.RedisServer;
import tools.jackson.databind.SerializationFeature;
import tools.jackson.databind.json.JsonMapper;

/**
 * Recoveries of Resilient Session and of a cache-aside beside each other.
 */
final class Recoveries {

	/**
	 * As by default.
	 */
	private static final Duration RECONCILE_INTERVAL = Duration.ofSeconds(1);

	private static final double RECOVERED = 0.99;

	private final RedisServer redis;

	private final Peers peers;

	private final Recovery recovery;

	private final PrintStream out;

	private final List<Second> seconds = new ArrayList<>();

	Recoveries(RedisServer redis, PostgresServer postgres, Settings settings, PrintStream out) {
		this.redis = redis;
		this.peers = new Peers(redis, postgres);
		this.recovery = new Recovery(redis, postgres, settings);
		this.out = out;
	}

	/**
	 * Let the same happen to both.
	 */
	void compare(Incident incident) throws Exception {
		this.redis.restartEmpty();
		try (Peer<?> peer = this.peers.resilient(RECONCILE_INTERVAL)) {
			SessionNode node = (SessionNode) peer.resources();
			add(this.recovery.watch(incident, peer,
					() -> node.events.of("lostByRedis") + node.events.of("redisUnavailable")));
		}
		this.redis.restartEmpty();
		try (Peer<?> peer = this.peers.cacheAside()) {
			CacheAsideRepository repository = (CacheAsideRepository) peer.repository();
			add(this.recovery.watch(incident, peer, repository::loads));
		}
	}

	private void add(List<Second> watched) {
		this.seconds.addAll(watched);
		List<Second> after = watched.stream().filter((second) -> second.second() >= 0).toList();
		int recovered = after.stream()
			.filter((second) -> second.hit_rate() <= RECOVERED)
			.mapToInt((second) -> second.second() + 1)
			.max()
			.orElse(0);
		this.out.printf(
				"%-9s %-12s reads %d, errors %d, live sessions reported as absent %d, queries %d (at most %d/s), "
						+ "connections at once %d, p99 at most %.1f ms, hit rate above 99 %% after %s%n",
				after.get(0).incident(), after.get(0).peer(), after.stream().mapToLong(Second::reads).sum(),
				after.stream().mapToLong(Second::errors).sum(), after.stream().mapToLong(Second::absent).sum(),
				after.stream().mapToLong(Second::queries).sum(),
				after.stream().limit(after.size() - 1).mapToLong(Second::queries).max().orElse(0),
				after.stream().mapToInt(Second::connections).max().orElse(0),
				after.stream().mapToDouble(Second::p99_ms).max().orElse(0),
				(recovered < after.size()) ? recovered + " s" : "more than " + recovered + " s");
	}

	void write(Path file) throws IOException {
		Files.createDirectories(file.getParent());
		JsonMapper json = JsonMapper.builder().enable(SerializationFeature.INDENT_OUTPUT).build();
		Files.write(file, json.writeValueAsBytes(this.seconds));
		new Charts(file.getParent()).draw(this.seconds);
		this.out.println("written: " + file);
	}

}

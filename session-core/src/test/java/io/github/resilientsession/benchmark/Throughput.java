package io.github.resilientsession.benchmark;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;

import io.github.resilientsession.SessionNode;
import io.github.resilientsession.testsupport.PostgresServer;
import io.github.resilientsession.testsupport.RedisServer;
import org.awaitility.Awaitility;

/**
 * How fast the peers are while all is well, and without Redis. They have their turns in
 * rounds, in another order each time, so that whatever drifts meanwhile touches all of
 * them alike.
 */
final class Throughput {

	private static final int COUNTED_OPERATIONS = 400;

	/**
	 * How many sessions a thread uses up in one turn.
	 */
	private static final int SESSIONS_OF_A_THREAD = 500;

	private final RedisServer redis;

	private final PostgresServer postgres;

	private final Settings settings;

	private final Counter counter;

	private final Random random = new Random(1);

	private Duration logins;

	private Duration warmUp;

	Throughput(RedisServer redis, PostgresServer postgres, Settings settings) {
		this.redis = redis;
		this.postgres = postgres;
		this.settings = settings;
		this.counter = new Counter(redis, postgres);
		this.logins = settings.logins();
		this.warmUp = settings.firstWarmUp();
	}

	/**
	 * Measure all workloads under one load.
	 */
	void compare(Settings.Load load, Results results) throws Exception {
		this.redis.restartEmpty();
		List<Peer<?>> peers = new Peers(this.redis, this.postgres).all();
		try (Load threads = new Load(load.threads(), load.virtual(), Consumption.of(this.redis, this.postgres))) {
			Map<String, Stock> stocks = new LinkedHashMap<>();
			for (Peer<?> peer : peers) {
				long before = this.redis.usedMemory();
				stocks.put(peer.name(), stock(peer, load.payload(), this.settings.sessions(), threads));
				results.memoryPerSession(peer.name(), load.payload(),
						(this.redis.usedMemory() - before) / this.settings.sessions());
			}
			for (Peer<?> peer : peers) {
				turn(Workload.LOGIN, peer, load.payload(), threads, stocks.get(peer.name()), this.logins);
			}
			this.logins = Duration.ZERO;
			for (Workload workload : Workload.values()) {
				compare(workload.label(), load, measure(workload, peers, load, threads, stocks)).forEach(results::add);
			}
			// Only those can be compared that have the sessions elsewhere too.
			List<Peer<?>> survivors = peers.stream()
				.filter((peer) -> peer.name().equals(Peers.RESILIENT) || peer.name().equals(Peers.JDBC))
				.toList();
			this.warmUp = this.settings.warmUp();
			this.redis.kill();
			SessionNode node = (SessionNode) survivors.get(0).resources();
			Awaitility.await().until(node::redisIsCutOff);
			compare("write-redis-down", load, measure(Workload.WRITE, survivors, load, threads, stocks))
				.forEach(results::add);
		}
		finally {
			for (Peer<?> peer : peers) {
				peer.close();
			}
			this.redis.restartEmpty();
		}
	}

	private static List<Comparison> compare(String name, Settings.Load load, List<Measured> measured) {
		return measured.stream().skip(1).map((peer) -> Comparison.of(name, load, measured.get(0), peer)).toList();
	}

	private List<Measured> measure(Workload workload, List<Peer<?>> peers, Settings.Load load, Load threads,
			Map<String, Stock> stocks) throws Exception {
		for (Peer<?> peer : peers) {
			turn(workload, peer, load.payload(), threads, stocks.get(peer.name()), this.warmUp);
		}
		Map<String, List<Run>> runs = new LinkedHashMap<>();
		peers.forEach((peer) -> runs.put(peer.name(), new ArrayList<>()));
		for (int round = 0; round < this.settings.rounds(); round++) {
			List<Peer<?>> order = new ArrayList<>(peers);
			Collections.shuffle(order, this.random);
			for (Peer<?> peer : order) {
				runs.get(peer.name())
					.add(turn(workload, peer, load.payload(), threads, stocks.get(peer.name()), this.settings.turn()));
			}
		}
		List<Measured> measured = new ArrayList<>();
		for (Peer<?> peer : peers) {
			Stock stock = workload.consumes() ? stock(peer, load.payload(), COUNTED_OPERATIONS, threads)
					: stocks.get(peer.name());
			Counter.Counts counts = this.counter.count(peer,
					() -> threads.times(COUNTED_OPERATIONS, () -> peer.perform(workload, load.payload(), stock)));
			measured.add(new Measured(peer.name(), runs.get(peer.name()),
					counts.redisCommands() / (double) COUNTED_OPERATIONS,
					counts.statements() / (double) COUNTED_OPERATIONS));
		}
		return measured;
	}

	private Run turn(Workload workload, Peer<?> peer, Payload payload, Load threads, Stock stock, Duration duration)
			throws Exception {
		if (!workload.consumes()) {
			return threads.during(duration, () -> peer.perform(workload, payload, stock));
		}
		int count = Math.min(this.settings.sessions() / 2, SESSIONS_OF_A_THREAD * threads.size());
		Stock own = stock(peer, payload, count, threads);
		return threads.times(own.size(), () -> peer.perform(workload, payload, own));
	}

	private static Stock stock(Peer<?> peer, Payload payload, int count, Load threads) throws Exception {
		List<String> ids = Collections.synchronizedList(new ArrayList<>(count));
		threads.times(count, () -> ids.add(peer.create(payload)));
		return new Stock(ids);
	}

}

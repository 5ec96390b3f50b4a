package io.github.resilientsession.benchmark;

import java.io.PrintStream;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;

import io.github.resilientsession.ResilientSession;
import io.github.resilientsession.SessionNode;
import io.github.resilientsession.doctor.DoctorSettings;
import io.github.resilientsession.reconcile.TtlAuditSettings;
import io.github.resilientsession.testsupport.PostgresServer;
import io.github.resilientsession.testsupport.RedisServer;

/**
 * What the doctor and the audit cost: a node that has both, with the audit always at it,
 * and one that has neither take turns on the same sessions. What they cost by default is
 * far less than what turns differ by anyway, so they do their work {@value #FACTOR} times
 * as often, and that part of what it costs is reported: it is the same work each time.
 */
final class Watching {

	private static final int SESSIONS = 100_000;

	private static final int FACTOR = 20;

	private static final int ROUNDS = 25;

	private static final Duration WARM_UP = Duration.ofSeconds(1);

	private static final Duration TURN = Duration.ofSeconds(3);

	private static final int THREADS = 16;

	private static final TtlAuditSettings ALWAYS = new TtlAuditSettings(true, Duration.ofMillis(1),
			FACTOR * TtlAuditSettings.DEFAULTS.keysPerSecond(), false);

	private final RedisServer redis;

	private final PostgresServer postgres;

	private final PrintStream out;

	private final Random random = new Random(1);

	Watching(RedisServer redis, PostgresServer postgres, PrintStream out) {
		this.redis = redis;
		this.postgres = postgres;
		this.out = out;
	}

	/**
	 * Measure and print.
	 */
	void measure() throws Exception {
		this.redis.restartEmpty();
		String url = this.postgres.createDatabase();
		try (Load threads = new Load(THREADS, Consumption.of(this.redis, this.postgres))) {
			Stock stock = stock(url, threads);
			List<Workload> workloads = List.of(Workload.READ, Workload.WRITE);
			Map<Workload, List<Pair>> pairs = new EnumMap<>(Workload.class);
			workloads.forEach((workload) -> pairs.put(workload, new ArrayList<>()));
			for (int round = 0; round < ROUNDS; round++) {
				List<Boolean> order = new ArrayList<>(List.of(true, false));
				Collections.shuffle(order, this.random);
				Map<Boolean, Map<Workload, Run>> turns = new HashMap<>();
				for (boolean watched : order) {
					turns.put(watched, turn(url, watched, workloads, threads, stock));
				}
				workloads.forEach((workload) -> pairs.get(workload)
					.add(new Pair(turns.get(true).get(workload), turns.get(false).get(workload))));
			}
			pairs.forEach(this::print);
		}
	}

	private Stock stock(String url, Load threads) throws Exception {
		try (Peer<ResilientSession> peer = peer(url, false)) {
			List<String> ids = Collections.synchronizedList(new ArrayList<>(SESSIONS));
			threads.times(SESSIONS, () -> ids.add(peer.create(Payload.SMALL)));
			return new Stock(ids);
		}
	}

	private Map<Workload, Run> turn(String url, boolean watched, List<Workload> workloads, Load threads, Stock stock)
			throws Exception {
		Map<Workload, Run> runs = new EnumMap<>(Workload.class);
		try (Peer<ResilientSession> peer = peer(url, watched)) {
			for (Workload workload : workloads) {
				threads.during(WARM_UP, () -> peer.perform(workload, Payload.SMALL, stock));
				runs.put(workload, threads.during(TURN, () -> peer.perform(workload, Payload.SMALL, stock)));
			}
		}
		return runs;
	}

	private Peer<ResilientSession> peer(String url, boolean watched) {
		SessionNode.Options options = SessionNode.on(this.redis, url).name(Peers.RESILIENT);
		if (watched) {
			DoctorSettings settings = DoctorSettings.DEFAULTS;
			options
				.doctor(new DoctorSettings(true, settings.interval().dividedBy(FACTOR), settings.onCritical(),
						settings.memoryLimit(), settings.memoryWarning(), settings.memoryCritical(),
						settings.maxFragmentation(), settings.maxReplicaLag(), settings.fullWithin(),
						settings.slowScript()))
				.ttlAudit(ALWAYS);
		}
		SessionNode node = options.start();
		return new Peer<>(Peers.RESILIENT, node.repository, "spring:session:sessions:", "resilient_session",
				PostgresServer.database(url), node);
	}

	private void print(Workload workload, List<Pair> pairs) {
		double[] speed = pairs.stream()
			.mapToDouble((pair) -> pair.watched().operationsPerSecond() / pair.alone().operationsPerSecond())
			.sorted()
			.toArray();
		double[] processor = pairs.stream()
			.mapToDouble((pair) -> nanos(pair.watched()) / nanos(pair.alone()))
			.sorted()
			.toArray();
		this.out.printf(
				"%s with doctor and audit %d times as often: %.3f of the operations (%.3f to %.3f), %.3f of the "
						+ "processor time for each (%.3f to %.3f); as by default they cost %.2f %% of the operations, "
						+ "%.2f %% of the processor time%n",
				workload.label(), FACTOR, Measured.median(speed), speed[0], speed[speed.length - 1],
				Measured.median(processor), processor[0], processor[processor.length - 1],
				100 * (1 - Measured.median(speed)) / FACTOR, 100 * (Measured.median(processor) - 1) / FACTOR);
	}

	/**
	 * Processor time of an operation, of the virtual machine and of Redis.
	 */
	private static double nanos(Run run) {
		return (run.machineNanos() + run.used().redisNanos()) / (double) run.operations();
	}

	/**
	 * Two turns of one round.
	 */
	private record Pair(Run watched, Run alone) {

	}

}

package io.github.resilientsession.flow;

import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;

import io.github.resilientsession.circuit.CircuitSettings;
import io.github.resilientsession.circuit.TierCircuit;
import io.github.resilientsession.durable.DurableSettings;
import io.github.resilientsession.durable.DurableTier;
import io.github.resilientsession.durable.Platform;
import io.github.resilientsession.record.Lookup;
import io.github.resilientsession.record.SessionRecord;
import io.github.resilientsession.record.SessionStoreListener;
import org.h2.jdbcx.JdbcConnectionPool;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Threads;
import org.openjdk.jmh.annotations.Warmup;

/**
 * Loads of sessions that Redis has missed, from an H2 in memory, which answers at once:
 * what is left is mostly the way into a batch and back.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
@Warmup(iterations = 5, time = 1)
@Measurement(iterations = 10, time = 1)
@Fork(1)
public class BatchLoaderBenchmark {

	private static final int SESSIONS = 1_000;

	private JdbcConnectionPool pool;

	private DurableTier durable;

	private BatchLoader loader;

	@Setup
	public void fill() {
		this.pool = JdbcConnectionPool.create("jdbc:h2:mem:benchmark;DB_CLOSE_DELAY=-1", "sa", "");
		this.durable = new DurableTier(this.pool,
				new DurableSettings(Duration.ofSeconds(2), Duration.ofSeconds(30), Platform.H2), Clock.systemUTC(),
				SessionStoreListener.NO_OP);
		this.durable.initializeSchema();
		Instant now = Instant.now();
		for (int i = 0; i < SESSIONS; i++) {
			this.durable.insert(
					new SessionRecord("s" + i, 1, now, now, Duration.ofHours(1), null, Map.of("name", new byte[100])),
					false, null);
		}
		TierCircuit circuit = new TierCircuit("durable", new CircuitSettings(20, 5, 50, Duration.ofMillis(100)),
				DurableTier::isAnswer, SessionStoreListener.NO_OP);
		this.loader = new BatchLoader(this.durable, circuit, () -> 0, () -> false,
				new LoadSettings(4, 100, 10_000, Duration.ofSeconds(5)), SessionStoreListener.NO_OP);
	}

	@TearDown
	public void close() {
		this.loader.close();
		this.durable.close();
		this.pool.dispose();
	}

	@Benchmark
	@Threads(1)
	public Lookup distinctSessionsByOne() {
		return load(ThreadLocalRandom.current().nextInt(SESSIONS));
	}

	@Benchmark
	@Threads(16)
	public Lookup distinctSessionsBySixteen() {
		return load(ThreadLocalRandom.current().nextInt(SESSIONS));
	}

	@Benchmark
	@Threads(16)
	public Lookup oneSessionBySixteen() {
		return load(0);
	}

	private Lookup load(int session) {
		Lookup found = this.loader.load("s" + session, System.nanoTime(), BatchLoader.NO_MISS);
		if (!(found instanceof Lookup.Hit)) {
			throw new IllegalStateException("A session was not loaded: " + found);
		}
		return found;
	}

}

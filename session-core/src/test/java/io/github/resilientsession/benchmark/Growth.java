package io.github.resilientsession.benchmark;

import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import java.util.stream.LongStream;

import io.github.resilientsession.ResilientSession;
import io.github.resilientsession.SessionNode;
import io.github.resilientsession.codec.AttributesPayload;
import io.github.resilientsession.reconcile.Resync;
import io.github.resilientsession.reconcile.ResyncSettings;
import io.github.resilientsession.testsupport.PostgresServer;
import io.github.resilientsession.testsupport.RedisServer;
import io.lettuce.core.RedisFuture;
import io.lettuce.core.RedisURI;
import io.lettuce.core.api.StatefulRedisConnection;
import io.lettuce.core.api.sync.RedisCommands;
import io.lettuce.core.codec.ByteArrayCodec;
import tools.jackson.databind.SerializationFeature;
import tools.jackson.databind.json.JsonMapper;

import org.springframework.data.redis.serializer.RedisSerializer;

/**
 * What it costs to have many sessions: requests, and the work of the background, at
 * several sizes of the table.
 */
final class Growth {

	/**
	 * Rows that are inserted at once, rows that are marked as pending, and rows that
	 * expire.
	 */
	private static final int PORTION = 10_000;

	/**
	 * Copies that are put for comparison, and how many of them at a time.
	 */
	private static final int MOST_PIPELINED = 100_000;

	private static final int PIPELINED = 200;

	/**
	 * Of what a node does in the background: short, since nothing expires within sixty of
	 * them after its start.
	 */
	private static final Duration RECONCILE_INTERVAL = Duration.ofMillis(100);

	private static final Duration REQUESTS = Duration.ofSeconds(3);

	/**
	 * How often to ask the database how far something is: it must not be held up by that.
	 */
	private static final Duration ASK = Duration.ofMillis(200);

	private static final Duration LOOK = Duration.ofMillis(5);

	private static final Duration MOST = Duration.ofMinutes(5);

	private static final ResyncSettings UNTHROTTLED = new ResyncSettings(1_000_000, 0.1);

	private static final String FILL = """
			insert into resilient_session select 's' || n, 1, 'user' || n %% 100000,
			%1$d, %1$d - n %% 1000000, 7200, (%1$d + 7200000 - n %% 1000000) / 60000 * 60000 + 60000, '\\x%3$s', 0,
			false, null, null from generate_series(%2$d, %4$d) n""";

	private final RedisServer redis;

	private final PostgresServer postgres;

	private final PrintStream out;

	private final List<Size> sizes = new ArrayList<>();

	Growth(RedisServer redis, PostgresServer postgres, PrintStream out) {
		this.redis = redis;
		this.postgres = postgres;
		this.out = out;
	}

	/**
	 * Do all of it once, with nothing compiled before.
	 */
	void warmUp(int rows) throws Exception {
		measured(rows);
	}

	/**
	 * Measure one size.
	 */
	void measure(int rows) throws Exception {
		Size size = measured(rows);
		this.sizes.add(size);
		this.out.println(size);
	}

	private Size measured(int rows) throws Exception {
		this.redis.restartEmpty();
		String url = this.postgres.createDatabase();
		String database = PostgresServer.database(url);
		start(url).close();
		fill(database, rows);
		this.postgres.execute(database, "vacuum analyze resilient_session");
		Map<String, Double> figures = new HashMap<>();
		try (SessionNode node = start(url)) {
			figures.put("put back", rate(() -> node.resync().putBack(), rows, LOOK));
			awaitEnd(node);
			this.redis.call((commands) -> commands.del("spring:session:agreed"));
			figures.put("compared", rate(() -> node.resync().compared(), rows, LOOK));
			awaitEnd(node);
			List<Measured> requests = requests(node, rows);
			settle(database, figures);
			expire(database, rows, figures);
			figures.put("hset", pipelined(Math.min(rows, MOST_PIPELINED)));
			return new Size(rows, whole(figures.get("put back")), whole(figures.get("hset")),
					whole(figures.get("compared")), requests.get(0).operationsPerSecond(),
					requests.get(0).percentile(99), requests.get(1).operationsPerSecond(),
					requests.get(1).percentile(99), requests.get(2).operationsPerSecond(),
					requests.get(2).percentile(99), whole(figures.get("settled")), whole(figures.get("expired")));
		}
	}

	/**
	 * In portions, for which no slow disk takes too long.
	 */
	private void fill(String database, int rows) {
		long now = System.currentTimeMillis();
		for (int first = 1; first <= rows; first += PORTION) {
			this.postgres.execute(database,
					FILL.formatted(now, first, attributes(), Math.min(first + PORTION - 1, rows)));
		}
	}

	private SessionNode start(String url) {
		return SessionNode.on(this.redis, url)
			.resync(UNTHROTTLED)
			.name(Peers.RESILIENT)
			.reconcileInterval(RECONCILE_INTERVAL)
			.start();
	}

	private static String attributes() {
		Map<String, byte[]> attributes = new HashMap<>();
		Payload.SMALL.attributes()
			.forEach((name, value) -> attributes.put(name, RedisSerializer.java().serialize(value)));
		return HexFormat.of().formatHex(AttributesPayload.encode(attributes));
	}

	private static void awaitEnd(SessionNode node) throws InterruptedException {
		long deadline = System.nanoTime() + MOST.toNanos();
		for (Resync.Progress progress = node.resync(); progress.running(); progress = node.resync()) {
			if (System.nanoTime() > deadline) {
				throw new IllegalStateException("The resync does not end: " + progress);
			}
			TimeUnit.MILLISECONDS.sleep(50);
		}
	}

	private List<Measured> requests(SessionNode node, int rows) throws Exception {
		Stock stock = new Stock(LongStream.rangeClosed(1, rows).mapToObj((n) -> "s" + n).toList());
		Peer<ResilientSession> peer = new Peer<>(Peers.RESILIENT, node.repository, "", "", "", () -> {
		});
		List<Measured> measured = new ArrayList<>();
		try (Load load = new Load(16, () -> Consumption.NONE)) {
			for (Workload workload : List.of(Workload.READ, Workload.TOUCH, Workload.WRITE)) {
				load.during(REQUESTS.dividedBy(2), () -> peer.perform(workload, Payload.SMALL, stock));
				Run run = load.during(REQUESTS, () -> peer.perform(workload, Payload.SMALL, stock));
				measured.add(new Measured(workload.label(), List.of(run), 0, 0));
			}
		}
		return measured;
	}

	private void settle(String database, Map<String, Double> figures) throws InterruptedException {
		this.postgres.execute(database,
				"update resilient_session set redis_pending = true, version = version + 1 where session_id in ("
						+ "select session_id from resilient_session order by session_id limit " + PORTION + ")");
		LongSupplier settled = () -> PORTION
				- this.postgres.queryForLong(database, "select count(*) from resilient_session where redis_pending");
		figures.put("settled", rate(settled, PORTION, ASK));
	}

	/**
	 * Sessions that nobody has used for long, and of which Redis has nothing any more.
	 */
	private void expire(String database, int rows, Map<String, Double> figures) throws InterruptedException {
		// By then also the touches have been written that were waiting.
		TimeUnit.MILLISECONDS.sleep(RECONCILE_INTERVAL.multipliedBy(61).toMillis());
		int expiring = Math.min(PORTION, rows / 2);
		int first = rows - expiring + 1;
		String[] keys = LongStream.rangeClosed(first, rows)
			.mapToObj((n) -> "spring:session:sessions:s" + n)
			.toArray(String[]::new);
		String expiry = "update resilient_session set last_accessed_at = 1, expires_at = 60000 where session_id in (";
		String ids = LongStream.rangeClosed(first, rows)
			.mapToObj((n) -> "'s" + n + "'")
			.reduce((one, other) -> one + "," + other)
			.orElseThrow();
		this.redis.call((RedisCommands<String, String> commands) -> commands.unlink(keys));
		this.postgres.execute(database, expiry + ids + ")");
		LongSupplier expired = () -> expiring - this.postgres.queryForLong(database,
				"select count(*) from resilient_session where expires_at = 60000 and state = 0");
		figures.put("expired", rate(expired, expiring, ASK));
	}

	/**
	 * How many copies per second Redis takes from somebody who does nothing else than to
	 * send the fields of one, again and again, with {@code HSET}.
	 */
	private double pipelined(int copies) {
		return RedisServer.connected(RedisURI.create(this.redis.uri()), ByteArrayCodec.INSTANCE,
				(connection) -> pipelined(connection, copies));
	}

	private static double pipelined(StatefulRedisConnection<byte[], byte[]> connection, int copies) {
		Map<byte[], byte[]> copy = connection.sync().hgetall("spring:session:sessions:s1".getBytes());
		connection.setAutoFlushCommands(false);
		List<RedisFuture<Long>> before = List.of();
		long start = System.nanoTime();
		for (int put = 0; put < copies; put += PIPELINED) {
			List<RedisFuture<Long>> next = new ArrayList<>();
			for (int i = put; i < put + PIPELINED; i++) {
				next.add(connection.async().hset(("pipelined:" + i).getBytes(), copy));
			}
			connection.flushCommands();
			await(before);
			before = next;
		}
		await(before);
		return copies * 1e9 / (System.nanoTime() - start);
	}

	private static void await(List<RedisFuture<Long>> futures) {
		for (RedisFuture<Long> future : futures) {
			if (future.toCompletableFuture().join() == 0) {
				throw new IllegalStateException("Nothing was put");
			}
		}
	}

	/**
	 * How many per second, from when the first are done until all are.
	 */
	private static double rate(LongSupplier done, long all, Duration pause) throws InterruptedException {
		long deadline = System.nanoTime() + MOST.toNanos();
		long begun = 0;
		long before = 0;
		while (true) {
			long now = done.getAsLong();
			long at = System.nanoTime();
			if (begun == 0 && now > 0) {
				begun = at;
				before = now;
			}
			if (now >= all) {
				return (now > before) ? (now - before) * 1e9 / (at - begun) : Double.NaN;
			}
			if (at > deadline) {
				throw new IllegalStateException("Only " + now + " of " + all + " within " + MOST);
			}
			TimeUnit.NANOSECONDS.sleep(pause.toNanos());
		}
	}

	private static long whole(double value) {
		return Math.round(value);
	}

	void write(Path file) throws IOException {
		Files.createDirectories(file.getParent());
		JsonMapper json = JsonMapper.builder().enable(SerializationFeature.INDENT_OUTPUT).build();
		Files.write(file, json.writeValueAsBytes(this.sizes));
		this.out.println("written: " + file);
	}

	/**
	 * What was measured at one size.
	 *
	 * @param rows sessions in the table
	 * @param put_back sessions per second that were put back into an empty Redis
	 * @param pipelined_hset copies per second that Redis takes from somebody who does
	 * nothing else
	 * @param compared copies per second that were compared with their rows
	 * @param read_per_second by 16 threads
	 * @param read_p99_us in microseconds
	 * @param settled pending rows per second of which Redis was told; 0 if all were at
	 * once
	 * @param expired sessions per second that were ended; 0 if all were at once
	 */
	record Size(int rows, long put_back, long pipelined_hset, long compared, double read_per_second, double read_p99_us,
			double touch_per_second, double touch_p99_us, double write_per_second, double write_p99_us, long settled,
			long expired) {

	}

}

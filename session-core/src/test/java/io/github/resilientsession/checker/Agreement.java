package io.github.resilientsession.checker;

import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

import io.github.resilientsession.SessionNode;
import io.github.resilientsession.record.SessionHash;
import io.github.resilientsession.testsupport.RedisServer;
import io.lettuce.core.KeyScanCursor;
import io.lettuce.core.RedisURI;
import io.lettuce.core.ScanArgs;
import io.lettuce.core.ScanCursor;
import io.lettuce.core.api.sync.RedisCommands;
import io.lettuce.core.codec.ByteArrayCodec;

import org.springframework.data.redis.serializer.RedisSerializer;

/**
 * Whether the stores agree when everything has healed and nobody writes: it looks into
 * them, since a node that reads around a disagreement hides it.
 */
final class Agreement {

	private static final String PREFIX = "spring:session:sessions:";

	private static final byte[] VERSION = "version".getBytes(StandardCharsets.UTF_8);

	private static final byte[] UNPERSISTED = "unpersisted".getBytes(StandardCharsets.UTF_8);

	private final Cluster cluster;

	private final Timeline timeline;

	private final Findings findings;

	private final Figures figures;

	Agreement(Cluster cluster, Timeline timeline, Findings findings, Figures figures) {
		this.cluster = cluster;
		this.timeline = timeline;
		this.findings = findings;
		this.figures = figures;
	}

	/**
	 * Wait until all agree, and report what does not within the healing time.
	 */
	void await() throws InterruptedException, SQLException {
		long healed = this.timeline.now();
		while (true) {
			List<String> disagreements = disagreements();
			long now = this.timeline.now();
			if (disagreements.isEmpty() || this.timeline.isOver(Limits.HEALING, healed, now)) {
				disagreements.forEach((what) -> this.findings.notConverged(healed, now, what));
				this.figures.highest("longest agreeing at the end, ms", (now - healed) / 1_000_000);
				return;
			}
			new CountDownLatch(1).await(100, TimeUnit.MILLISECONDS);
		}
	}

	private List<String> disagreements() throws SQLException {
		List<String> found = new ArrayList<>();
		for (int i = 0; i < this.cluster.size(); i++) {
			SessionNode node = this.cluster.node(i);
			if (!node.trustsRedis()) {
				found.add("node " + i + " does not trust Redis");
			}
			if (!node.unpersisted().isEmpty()) {
				found.add("node " + i + " has not persisted " + node.unpersisted().size() + " sessions");
			}
		}
		// In this order: a copy may be rebuilt from its row in between, not the other way
		// round.
		Map<String, Copy> copies = copies();
		Map<String, Row> rows = rows();
		rows.forEach((id, row) -> {
			if (row.pending()) {
				found.add("the row of session " + SessionHash.of(id) + " is still pending");
			}
		});
		copies.forEach((id, copy) -> {
			String difference = copy.differenceFrom(rows.get(id));
			if (difference != null) {
				found.add("the copy of session " + SessionHash.of(id) + " " + difference);
			}
		});
		this.figures.highest("copies compared with rows at the end", copies.size());
		return found;
	}

	private Map<String, Row> rows() throws SQLException {
		Map<String, Row> rows = new HashMap<>();
		try (Connection connection = this.cluster.database().dataSource(this.cluster.databaseName()).getConnection();
				Statement statement = connection.createStatement();
				ResultSet found = statement
					.executeQuery("select session_id, version, state, redis_pending from resilient_session")) {
			while (found.next()) {
				rows.put(found.getString(1), new Row(found.getLong(2), found.getInt(3) != 0, found.getBoolean(4)));
			}
		}
		return rows;
	}

	/**
	 * All copies. A hash is read as bytes: its values are serialized.
	 */
	private Map<String, Copy> copies() {
		return RedisServer.connected(RedisURI.create(this.cluster.redis().uri()), ByteArrayCodec.INSTANCE,
				(connection) -> copies(connection.sync()));
	}

	private static Map<String, Copy> copies(RedisCommands<byte[], byte[]> redis) {
		Map<String, Copy> copies = new HashMap<>();
		ScanArgs args = ScanArgs.Builder.matches(PREFIX + "*").limit(500);
		ScanCursor cursor = ScanCursor.INITIAL;
		do {
			KeyScanCursor<byte[]> page = redis.scan(cursor, args);
			for (byte[] key : page.getKeys()) {
				String id = new String(key, StandardCharsets.UTF_8).substring(PREFIX.length());
				Copy copy = copy(redis, key);
				if (copy != null) {
					copies.put(id, copy);
				}
			}
			cursor = page;
		}
		while (!cursor.isFinished());
		return copies;
	}

	private static Copy copy(RedisCommands<byte[], byte[]> redis, byte[] key) {
		byte[] version = redis.hget(key, VERSION);
		boolean unpersisted = redis.hexists(key, UNPERSISTED);
		if (redis.exists(key) == 0) {
			return null;
		}
		Object number = (version != null) ? RedisSerializer.java().deserialize(version) : null;
		return new Copy((Long) number, unpersisted);
	}

	private record Row(long version, boolean ended, boolean pending) {

	}

	/**
	 * A copy or a tombstone.
	 *
	 * @param version negative for a tombstone, {@code null} if it has none
	 * @param unpersisted whether it says that only it has something
	 */
	private record Copy(Long version, boolean unpersisted) {

		private String differenceFrom(Row row) {
			if (this.unpersisted) {
				return "still says that only it has something";
			}
			if (this.version != null && this.version < 0) {
				return (row == null || row.ended()) ? null : "is a tombstone, but its row lives";
			}
			if (row == null) {
				return "has no row";
			}
			if (row.ended()) {
				return "lives, but its row has ended";
			}
			return (this.version != null && this.version == row.version()) ? null
					: "has version " + this.version + ", but its row has " + row.version();
		}

	}

}

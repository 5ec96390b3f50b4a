package io.github.resilientsession.checker;

import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicReferenceArray;
import java.util.function.Function;
import java.util.function.UnaryOperator;

import io.github.resilientsession.SessionNode;
import io.github.resilientsession.testsupport.PostgresServer;
import io.github.resilientsession.testsupport.RedisServer;
import io.github.resilientsession.testsupport.Wire;
import io.lettuce.core.RedisException;
import io.lettuce.core.RedisURI;
import io.lettuce.core.api.sync.RedisCommands;
import io.lettuce.core.codec.StringCodec;

/**
 * The servers and the nodes, each with wires of its own to both servers. The servers may
 * be used by one thread at a time for each, the nodes by many.
 */
final class Cluster implements AutoCloseable {

	static final String PASSWORD = "secret";

	private static final Duration ADMINISTRATION = Duration.ofSeconds(2);

	private final Timeline timeline;

	private final PostgresServer database = PostgresServer.start();

	private final String databaseName;

	private volatile RedisServer redis = RedisServer.start();

	private final List<Wire> redisWires = new ArrayList<>();

	private final List<Wire> databaseWires = new ArrayList<>();

	private final List<Clock> clocks = new ArrayList<>();

	private final AtomicReferenceArray<SessionNode> nodes;

	private final List<NodeWatch> watches = new ArrayList<>();

	private final List<Timeline.Period> down = new ArrayList<>();

	private final UnaryOperator<SessionNode.Options> variant;

	/**
	 * Start servers and nodes.
	 * @param clockOffsets how far the clock of each node is ahead, one per node
	 * @param variant makes each node what it is to be
	 */
	Cluster(Timeline timeline, List<Duration> clockOffsets, UnaryOperator<SessionNode.Options> variant) {
		this.timeline = timeline;
		this.variant = variant;
		String url = this.database.createDatabase();
		this.databaseName = url.substring(url.lastIndexOf('/') + 1);
		this.nodes = new AtomicReferenceArray<>(clockOffsets.size());
		for (Duration offset : clockOffsets) {
			this.redisWires.add(Wire.to(this.redis.host(), this.redis.port()));
			this.databaseWires.add(Wire.to(this.database.host(), this.database.port()));
			this.clocks.add(Clock.offset(Clock.systemUTC(), offset));
			this.watches.add(null);
			this.down.add(null);
		}
		for (int i = 0; i < clockOffsets.size(); i++) {
			startNode(i);
		}
	}

	int size() {
		return this.nodes.length();
	}

	/**
	 * A node, or {@code null} while it is crashed.
	 */
	SessionNode node(int i) {
		return this.nodes.get(i);
	}

	Clock clock(int i) {
		return this.clocks.get(i);
	}

	Wire redisWire(int i) {
		return this.redisWires.get(i);
	}

	Wire databaseWire(int i) {
		return this.databaseWires.get(i);
	}

	RedisServer redis() {
		return this.redis;
	}

	PostgresServer database() {
		return this.database;
	}

	String databaseName() {
		return this.databaseName;
	}

	/**
	 * Let another Redis take the place of the one so far, which must be dead.
	 */
	void promote(RedisServer other) {
		RedisServer former = this.redis;
		this.redis = other;
		this.redisWires.forEach((wire) -> wire.redirect(other.host(), other.port()));
		former.close();
	}

	/**
	 * Administer Redis, whether it has a password just now or not.
	 */
	<T> T administer(Function<RedisCommands<String, String>, T> work) {
		try {
			return administer(RedisURI.builder(), work);
		}
		catch (RedisException ex) {
			if (!isNotAuthenticated(ex)) {
				throw ex;
			}
			return administer(RedisURI.builder().withPassword(PASSWORD.toCharArray()), work);
		}
	}

	private static boolean isNotAuthenticated(Throwable failure) {
		for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
			if (String.valueOf(cause.getMessage()).contains("NOAUTH")) {
				return true;
			}
		}
		return false;
	}

	private <T> T administer(RedisURI.Builder uri, Function<RedisCommands<String, String>, T> work) {
		RedisServer server = this.redis;
		return RedisServer.connected(
				uri.withHost(server.host()).withPort(server.port()).withTimeout(ADMINISTRATION).build(),
				StringCodec.UTF8, (connection) -> work.apply(connection.sync()));
	}

	/**
	 * Kill a node as far as that goes within one virtual machine: from one moment on, it
	 * reaches no server and nobody asks it.
	 */
	void crash(int i) {
		this.down.set(i, this.timeline.crashed(i));
		SessionNode node = this.nodes.getAndSet(i, null);
		this.redisWires.get(i).cut();
		this.databaseWires.get(i).cut();
		if (node != null) {
			node.close();
		}
	}

	void revive(int i) {
		this.redisWires.get(i).heal();
		this.databaseWires.get(i).heal();
		startNode(i);
		this.down.get(i).end();
	}

	private void startNode(int i) {
		Wire toRedis = this.redisWires.get(i);
		Wire toDatabase = this.databaseWires.get(i);
		NodeWatch former = this.watches.get(i);
		if (former != null) {
			former.close();
		}
		NodeWatch watch = new NodeWatch(this.timeline, i);
		this.watches.set(i, watch);
		String url = "jdbc:postgresql://" + toDatabase.host() + ":" + toDatabase.port() + "/" + this.databaseName;
		SessionNode.Options options = SessionNode.on(toRedis.host(), toRedis.port(), url)
			.clock(this.clocks.get(i))
			.listener(watch);
		this.nodes.set(i, this.variant.apply(options).start());
	}

	@Override
	public void close() {
		for (int i = 0; i < this.nodes.length(); i++) {
			SessionNode node = this.nodes.getAndSet(i, null);
			if (node != null) {
				node.close();
			}
		}
		this.redisWires.forEach(Wire::close);
		this.databaseWires.forEach(Wire::close);
		this.redis.close();
		this.database.close();
	}

}

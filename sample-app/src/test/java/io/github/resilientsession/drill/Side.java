package io.github.resilientsession.drill;

import java.util.function.LongSupplier;

import io.github.resilientsession.SessionNode;
import io.github.resilientsession.benchmark.CacheAsideRepository;
import io.github.resilientsession.benchmark.Peer;
import io.github.resilientsession.doctor.Report;
import org.jspecify.annotations.Nullable;

/**
 * One of those to whom an incident happens.
 *
 * @param name as the results have it
 * @param shop what the visitors see
 * @param keys how the Redis keys of its sessions begin
 * @param database the name of its database; empty if it has none
 * @param connections what its database connections call themselves
 * @param misses tells how many reads Redis has not answered so far, as far as it knows
 * @param node the node, if it is this library without a web server
 * @param resources closed in the end
 */
record Side(String name, Shop shop, String keys, String database, String connections, LongSupplier misses,
		@Nullable SessionNode node, AutoCloseable resources) implements AutoCloseable {

	static final String OURS = "resilient";

	static final String PLAIN = "plain";

	/**
	 * A side without a web server.
	 */
	static Side of(Peer<?> peer) {
		SessionNode node = (peer.resources() instanceof SessionNode ours) ? ours : null;
		LongSupplier misses = () -> 0;
		if (node != null) {
			misses = () -> node.events.of("lostByRedis") + node.events.of("redisUnavailable");
		}
		else if (peer.repository() instanceof CacheAsideRepository aside) {
			misses = aside::loads;
		}
		return new Side(peer.name(), new RepositoryShop<>(peer.repository()), peer.keys(), peer.database(), peer.name(),
				misses, node, peer);
	}

	boolean isOurs() {
		return this.name.equals(OURS);
	}

	SessionNode ours() {
		if (this.node == null) {
			throw new IllegalStateException(this.name + " is not a node of this library");
		}
		return this.node;
	}

	Report doctor() {
		return ours().sessions().doctorReport();
	}

	@Override
	public void close() throws Exception {
		this.resources.close();
	}

}

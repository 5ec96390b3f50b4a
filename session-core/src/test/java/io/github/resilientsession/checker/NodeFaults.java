package io.github.resilientsession.checker;

import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

import io.github.resilientsession.testsupport.Wire;

/**
 * The faults of a node and of its wires.
 */
final class NodeFaults {

	private static final Duration SLOW_ONE_WAY = Duration.ofMillis(60);

	private final Cluster cluster;

	NodeFaults(Cluster cluster) {
		this.cluster = cluster;
	}

	/**
	 * A fault, or {@code null} if it is none of a node.
	 * @param silently whether what is cut off is not told so
	 */
	Fault of(FaultKind kind, int node, boolean silently) {
		Wire redis = this.cluster.redisWire(node);
		Wire database = this.cluster.databaseWire(node);
		return switch (kind) {
			case NODE_CRASHED -> RedisFaults.fault((over) -> this.cluster.crash(node), () -> this.cluster.revive(node));
			case NODE_CUT_OFF_FROM_REDIS -> RedisFaults.fault((over) -> cutOff(redis, silently), redis::heal);
			case NODE_CUT_OFF_FROM_DATABASE -> RedisFaults.fault((over) -> cutOff(database, silently), database::heal);
			case REDIS_REPLY_CUT -> RedisFaults.fault((over) -> cutReplies(redis, over), redis::heal);
			case DATABASE_REPLY_CUT -> RedisFaults.fault((over) -> cutReplies(database, over), database::heal);
			case NETWORK_SLOW -> RedisFaults.fault((over) -> {
				redis.delay(SLOW_ONE_WAY);
				database.delay(SLOW_ONE_WAY);
			}, () -> {
				redis.heal();
				database.heal();
			});
			default -> null;
		};
	}

	private static void cutOff(Wire wire, boolean silently) {
		if (silently) {
			wire.blackhole();
		}
		else {
			wire.cut();
		}
	}

	private static void cutReplies(Wire wire, CountDownLatch over) throws InterruptedException {
		int bytes = 0;
		boolean cut = false;
		boolean goesOn = true;
		while (goesOn) {
			wire.cutMidReply(bytes);
			bytes = (bytes + 3) % 20;
			goesOn = !over.await(400, TimeUnit.MILLISECONDS);
			cut |= wire.replyWasCut();
		}
		if (!cut) {
			throw new IllegalStateException("No reply came that could have been cut");
		}
	}

}

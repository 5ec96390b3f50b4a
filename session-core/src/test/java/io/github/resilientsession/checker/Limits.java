package io.github.resilientsession.checker;

import java.time.Duration;

import io.github.resilientsession.SessionNode;

/**
 * How long a node may take, as it follows from its settings.
 */
final class Limits {

	/**
	 * A read asks Redis, then waits for its load.
	 */
	static final Duration READ = SessionNode.REDIS_TIME_LIMIT.plus(SessionNode.LOAD_TIME_LIMIT);

	/**
	 * A write commits or, if it lost a race, reads and commits again; tells Redis with
	 * three scripts at most; and marks the row if that failed. No more than three of its
	 * statements can be the ones that wait for a database which stops answering.
	 */
	static final Duration WRITE = SessionNode.DURABLE_TIME_LIMIT.multipliedBy(3)
		.plus(SessionNode.REDIS_TIME_LIMIT.multipliedBy(3));

	/**
	 * A touch is one script.
	 */
	static final Duration TOUCH = SessionNode.REDIS_TIME_LIMIT.multipliedBy(2);

	/**
	 * What the machine may add, on which servers, nodes and clients share the processors.
	 */
	static final Duration SCHEDULING = Duration.ofMillis(750);

	/**
	 * How long after the last fault every node must serve every session again. The
	 * longest pause of a prober whose tier flaps is 3.2 s; then a probe may hit the time
	 * limit of a connection that died silently, 2 s, and so may the settling after it.
	 * The rest is for the restart of a node.
	 */
	static final Duration HEALING = Duration.ofSeconds(10);

	private Limits() {
	}

}

package io.github.resilientsession.checker;

import java.time.Duration;
import java.util.List;
import java.util.function.UnaryOperator;

import io.github.resilientsession.SessionNode;

/**
 * What a run is like.
 *
 * @param seed determines the schedule and what the clients choose
 * @param duration how long faults are injected
 * @param clockOffsets how far the clock of each node is ahead, one per node
 * @param maxInactiveInterval the timeout of sessions
 * @param groups how many groups of clients there are
 * @param clientsPerGroup how many clients share a session
 * @param thinkTime how long a client pauses between two calls, on average
 * @param endsPercent how many of a hundred steps of a group's first client end an id
 * @param variant makes of a node's options those of a node that lacks a protection
 */
record CheckSettings(long seed, Duration duration, List<Duration> clockOffsets, Duration maxInactiveInterval,
		int groups, int clientsPerGroup, Duration thinkTime, int endsPercent,
		UnaryOperator<SessionNode.Options> variant) {

	/**
	 * Three nodes, hundreds of clients.
	 */
	static CheckSettings usual(long seed, Duration duration) {
		return new CheckSettings(seed, duration, List.of(Duration.ZERO, Duration.ZERO, Duration.ZERO),
				Duration.ofMinutes(30), 60, 4, Duration.ofMillis(400), 8, UnaryOperator.identity());
	}

	/**
	 * With one node a minute ahead and one a minute behind, and sessions that time out so
	 * soon that it shows.
	 */
	CheckSettings skewed() {
		return new CheckSettings(this.seed, this.duration,
				List.of(Duration.ZERO, Duration.ofMinutes(1), Duration.ofMinutes(-1)), Duration.ofSeconds(90),
				this.groups, this.clientsPerGroup, this.thinkTime, this.endsPercent, this.variant);
	}

	/**
	 * With nodes that lack a protection.
	 */
	CheckSettings without(UnaryOperator<SessionNode.Options> variant) {
		return new CheckSettings(this.seed, this.duration, this.clockOffsets, this.maxInactiveInterval, this.groups,
				this.clientsPerGroup, this.thinkTime, this.endsPercent, variant);
	}

	/**
	 * With clients that pause for less, and sessions that end sooner.
	 */
	CheckSettings busy(Duration thinkTime, int endsPercent) {
		return new CheckSettings(this.seed, this.duration, this.clockOffsets, this.maxInactiveInterval, this.groups,
				this.clientsPerGroup, thinkTime, endsPercent, this.variant);
	}

}

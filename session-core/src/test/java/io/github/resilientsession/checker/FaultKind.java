package io.github.resilientsession.checker;

/**
 * The faults that a schedule may inject.
 */
enum FaultKind {

	REDIS_KILLED(Target.REDIS, true), REDIS_HUNG(Target.REDIS, true), REDIS_RESTARTED_EMPTY(Target.REDIS, true),

	REDIS_RESTARTED_FROM_SNAPSHOT(Target.REDIS, true), REDIS_LAGGING_REPLICA_PROMOTED(Target.REDIS, true),

	REDIS_REPLICA_PROMOTED(Target.REDIS, true),

	REDIS_OUT_OF_MEMORY(Target.REDIS, false), REDIS_EVICTING(Target.REDIS, false), REDIS_FLUSHED(Target.REDIS, false),

	REDIS_READ_ONLY(Target.REDIS, false),

	/**
	 * Nothing can be told to a paused Redis, not even to go on: so nothing else is done
	 * to it.
	 */
	REDIS_PAUSED(Target.REDIS, true),

	REDIS_PASSWORD_SET(Target.REDIS, false), REDIS_SCRIPTS_FLUSHED(Target.REDIS, false),

	REDIS_REPLY_CUT(Target.NETWORK, false), NETWORK_SLOW(Target.NETWORK, false),

	DATABASE_KILLED(Target.DATABASE, true), DATABASE_HUNG(Target.DATABASE, true),

	DATABASE_CONNECTIONS_TERMINATED(Target.DATABASE, false), DATABASE_ROWS_LOCKED(Target.DATABASE, false),

	DATABASE_DISK_FULL(Target.DATABASE, false), DATABASE_READ_ONLY(Target.DATABASE, false),

	DATABASE_REPLY_CUT(Target.NETWORK, false),

	NODE_CRASHED(Target.NODE, false), NODE_CUT_OFF_FROM_REDIS(Target.NODE, false),

	NODE_CUT_OFF_FROM_DATABASE(Target.NODE, false);

	private final Target target;

	private final boolean wholeServer;

	FaultKind(Target target, boolean wholeServer) {
		this.target = target;
		this.wholeServer = wholeServer;
	}

	/**
	 * Whether both can be injected at the same time: a server that is down or hung takes
	 * no further orders, and some faults undo or prevent each other.
	 */
	boolean canMeet(FaultKind other) {
		if (this == other || cancels(other) || other.cancels(this)) {
			return false;
		}
		if (this.target != other.target) {
			return true;
		}
		// Nodes and wires are drawn, and those of the other fault are left alone.
		return !this.wholeServer && !other.wholeServer && this.target != Target.NETWORK;
	}

	/**
	 * Memory has one limit and one policy, and a replica that is read-only is neither
	 * flushed nor flooded.
	 */
	private boolean cancels(FaultKind other) {
		return switch (this) {
			case REDIS_OUT_OF_MEMORY -> other == REDIS_EVICTING;
			case REDIS_READ_ONLY -> other == REDIS_FLUSHED || other == REDIS_EVICTING || other == REDIS_OUT_OF_MEMORY;
			default -> false;
		};
	}

	/**
	 * Whether it makes the database unavailable to one node, or to all.
	 */
	boolean isOfDatabase() {
		return this.target == Target.DATABASE || this == DATABASE_REPLY_CUT || this == NODE_CUT_OFF_FROM_DATABASE;
	}

	/**
	 * Whether it keeps one node, or all, from reading the database too.
	 */
	boolean keepsFromReading() {
		return isOfDatabase() && this != DATABASE_ROWS_LOCKED && this != DATABASE_DISK_FULL
				&& this != DATABASE_READ_ONLY;
	}

	/**
	 * Whether it strikes one node.
	 */
	boolean strikesOneNode() {
		return this.target == Target.NODE || this.target == Target.NETWORK;
	}

	/**
	 * The fault's name, with the node if it strikes one.
	 */
	String struckNode(int node) {
		return strikesOneNode() ? this + " " + node : toString();
	}

	private enum Target {

		REDIS, DATABASE, NETWORK, NODE

	}

}

package io.github.resilientsession.checker;

/**
 * What a node may have done wrong.
 */
enum ViolationKind {

	/**
	 * An acknowledged write is still not there when everything has healed.
	 */
	LOST_WRITE,

	/**
	 * A live session was reported as absent.
	 */
	FALSE_LOGOUT,

	/**
	 * A session, or an id, that was acknowledged to be dead was found.
	 */
	RESURRECTION,

	/**
	 * A read got a state older than an acknowledged write, beyond the stated bound, or
	 * one that nobody has written.
	 */
	ROLLBACK,

	/**
	 * An answer took longer than the limit that follows from the node's settings.
	 */
	SLOW,

	/**
	 * A key in Redis would live forever.
	 */
	KEY_WITHOUT_TTL,

	/**
	 * A session was not served again by every node within the healing time.
	 */
	NOT_SERVED,

	/**
	 * The stores did not agree within the healing time, or a node did not know that they
	 * do.
	 */
	NOT_CONVERGED,

	/**
	 * A node threw something that no application expects.
	 */
	UNEXPECTED_FAILURE,

	/**
	 * The check itself failed, or has not looked at what it is to look at: it shows
	 * nothing.
	 */
	CHECK_FAILED

}

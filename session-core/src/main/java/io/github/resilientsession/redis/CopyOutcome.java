package io.github.resilientsession.redis;

/**
 * What a script found when it came to change a copy.
 *
 * @param status what became of the change
 * @param currentVersion the version of the copy that was found instead, negative for a
 * tombstone; {@code 0} if there is none or it has none
 * @param unpersisted whether the copy that was found has unpersisted writes
 */
public record CopyOutcome(Status status, long currentVersion, boolean unpersisted) {

	/**
	 * What became of the change.
	 */
	public enum Status {

		/**
		 * It was made.
		 */
		DONE,

		/**
		 * There is no copy to change.
		 */
		ABSENT,

		/**
		 * There is another copy than the one expected.
		 */
		OTHER,

		/**
		 * There is a tombstone: the session was ended.
		 */
		ENDED

	}

}

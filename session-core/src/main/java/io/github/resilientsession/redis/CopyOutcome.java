package io.github.resilientsession.redis;

/**
 * What a script found when it was to change a copy.
 *
 * @param status what became of the change
 * @param currentVersion the version of the copy that was found instead; 0 if it has none
 * or if the status is not {@link Status#OTHER}
 */
public record CopyOutcome(Status status, long currentVersion) {

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
		 * There is a copy, of another version than expected.
		 */
		OTHER,

		/**
		 * There is a tombstone: the session was ended.
		 */
		ENDED

	}

}

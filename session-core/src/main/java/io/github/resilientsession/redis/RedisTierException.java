package io.github.resilientsession.redis;

import org.jspecify.annotations.Nullable;

/**
 * Thrown when Redis did not do what it was asked to.
 */
public final class RedisTierException extends RuntimeException {

	private final Kind kind;

	public RedisTierException(Kind kind, String message, @Nullable Throwable cause) {
		super(message, cause);
		this.kind = kind;
	}

	/**
	 * Classify an error by what its message contains, since Redis 6 wraps the errors of
	 * scripts.
	 */
	static RedisTierException of(Throwable cause) {
		if (cause instanceof RedisTierException already) {
			return already;
		}
		String message = String.valueOf(cause.getMessage());
		Kind kind = Kind.UNAVAILABLE;
		if (message.contains("OOM ")) {
			kind = Kind.OUT_OF_MEMORY;
		}
		else if (message.contains("WRONGTYPE ")) {
			kind = Kind.WRONG_TYPE;
		}
		return new RedisTierException(kind, "Redis failed: " + message, cause);
	}

	/**
	 * What kind of failure this is.
	 * @return the kind
	 */
	public Kind kind() {
		return this.kind;
	}

	/**
	 * The failures that are handled differently.
	 */
	public enum Kind {

		/**
		 * No answer within the time limit, no connection, or an answer that says that
		 * Redis cannot work: loading, read-only, no master.
		 */
		UNAVAILABLE,

		/**
		 * Redis reads and deletes, but refuses to store more.
		 */
		OUT_OF_MEMORY,

		/**
		 * The key holds something that is not a session.
		 */
		WRONG_TYPE

	}

}

package io.github.resilientsession;

import java.time.Duration;

/**
 * Thrown when no store can say whether a session exists, or none can keep a write. It
 * does not mean that the session is gone: answer with 503, leave the cookie as it is, and
 * let the client try again.
 */
public final class SessionStoreUnavailableException extends RuntimeException {

	private final Duration retryAfter;

	SessionStoreUnavailableException(String what, Duration retryAfter, Throwable cause) {
		super(what + ": " + cause.getMessage() + ". No session is ended by this; try again in " + retryAfter.toSeconds()
				+ " s, and look at the health of Redis and of the session database.", cause);
		this.retryAfter = retryAfter;
	}

	/**
	 * How long a client should wait before it tries again.
	 * @return the wait, as it is configured; the starter tells it in whole seconds
	 */
	public Duration retryAfter() {
		return this.retryAfter;
	}

}

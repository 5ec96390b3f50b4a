package io.github.resilientsession;

import io.github.resilientsession.record.SessionHash;

/**
 * Thrown when a session is saved with more bytes than allowed; nothing of it has been
 * written then.
 */
public final class SessionTooLargeException extends RuntimeException {

	SessionTooLargeException(String sessionId, long size, long maxSize) {
		super("Session " + SessionHash.of(sessionId) + " has " + size + " bytes of attributes, more than the " + maxSize
				+ " bytes allowed, so nothing of it was saved. Keep large data out of the session, or raise "
				+ "resilient-session.max-session-size.");
	}

}

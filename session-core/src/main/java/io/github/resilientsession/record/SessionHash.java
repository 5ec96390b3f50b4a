package io.github.resilientsession.record;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/**
 * The name of a session in logs and messages: a shortened hash, since whoever knows a
 * session id is logged in.
 */
public final class SessionHash {

	private SessionHash() {
	}

	/**
	 * Shorten a session id to the first 10 hexadecimal digits of its SHA-256.
	 * @param sessionId the id to hide
	 * @return the hash with the prefix {@code #}, the same for the same id on every node
	 */
	public static String of(String sessionId) {
		try {
			byte[] digest = MessageDigest.getInstance("SHA-256").digest(sessionId.getBytes(StandardCharsets.UTF_8));
			return "#" + HexFormat.of().formatHex(digest, 0, 5);
		}
		catch (NoSuchAlgorithmException ex) {
			throw new IllegalStateException("Every Java platform has SHA-256", ex);
		}
	}

}

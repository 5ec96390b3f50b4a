package io.github.resilientsession.record;

import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;

import org.jspecify.annotations.Nullable;

/**
 * An immutable state of one session, with its attributes as serialized bytes. Both tiers
 * hold the same bytes, so that a copy is rebuilt without deserializing anything.
 * <p>
 * The arrays in {@code attributes} are shared, never copied: nobody writes to them.
 *
 * @param id the session id, as the cookie carries it
 * @param version the number of durable writes so far, from 1; {@value #UNVERSIONED} for a
 * copy that plain Spring Session wrote and the durable store does not know yet
 * @param creationTime when the session was created, in milliseconds' precision
 * @param lastAccessedTime when the session was last used, in milliseconds' precision
 * @param maxInactiveInterval how long the session lives without being used, in whole
 * seconds, always positive
 * @param principalName the name of the principal, or {@code null} if there is none or if
 * the record comes from a tier that does not store it
 * @param attributes the attributes by name, each as the bytes of the configured
 * serializer
 */
public record SessionRecord(String id, long version, Instant creationTime, Instant lastAccessedTime,
		Duration maxInactiveInterval, @Nullable String principalName, Map<String, byte[]> attributes) {

	/**
	 * The version of a copy that was written by plain Spring Session.
	 */
	public static final long UNVERSIONED = 0;

	public SessionRecord {
		if (maxInactiveInterval.isZero() || maxInactiveInterval.isNegative()) {
			throw new IllegalArgumentException(
					"A session record needs a positive max inactive interval, not " + maxInactiveInterval);
		}
		creationTime = creationTime.truncatedTo(ChronoUnit.MILLIS);
		lastAccessedTime = lastAccessedTime.truncatedTo(ChronoUnit.MILLIS);
		attributes = Collections.unmodifiableMap(new LinkedHashMap<>(attributes));
	}

	/**
	 * The instant from which on the session has expired.
	 * @return last access plus the max inactive interval
	 */
	public Instant expiresAt() {
		return this.lastAccessedTime.plus(this.maxInactiveInterval);
	}

	/**
	 * Whether the session has expired at an instant.
	 * @param now the instant to ask for
	 * @return whether its max inactive interval has passed
	 */
	public boolean isExpiredAt(Instant now) {
		return !now.isBefore(expiresAt());
	}

	/**
	 * The bytes that the attributes take, names in UTF-16 units counted as one byte each.
	 * @return the size in bytes
	 */
	public long attributeBytes() {
		long bytes = 0;
		for (Map.Entry<String, byte[]> attribute : this.attributes.entrySet()) {
			bytes += attribute.getKey().length() + attribute.getValue().length;
		}
		return bytes;
	}

	/**
	 * The same state under another version.
	 * @param newVersion the version of the result
	 * @return a record that differs in its version only
	 */
	public SessionRecord withVersion(long newVersion) {
		return new SessionRecord(this.id, newVersion, this.creationTime, this.lastAccessedTime,
				this.maxInactiveInterval, this.principalName, this.attributes);
	}

}

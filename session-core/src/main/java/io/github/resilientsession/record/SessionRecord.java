package io.github.resilientsession.record;

import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Collections;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.Collection;
import java.util.Map;
import java.util.Set;

import org.jspecify.annotations.Nullable;

/**
 * An immutable state of one session, with its attributes as serialized bytes. Both tiers
 * hold the same bytes, so that a copy is rebuilt without deserializing anything.
 * <p>
 * The arrays in {@code attributes} are shared, never copied: nobody writes to them.
 *
 * @param id the session id, as the cookie carries it
 * @param version the number of durable writes so far, from 1; {@value #UNVERSIONED} for a
 * copy that the durable store does not know yet
 * @param creationTime when the session was created, in milliseconds' precision
 * @param lastAccessedTime when the session was last used, in milliseconds' precision
 * @param maxInactiveInterval how long the session lives without being used, in whole
 * seconds, always positive
 * @param principalName the name of the principal, or {@code null} if there is none or if
 * the record comes from a tier that does not store it
 * @param attributes the attributes by name, each as the bytes of the configured
 * serializer
 * @param unpersisted of a copy, the writes that the durable store does not know yet
 * @param persisted of a row, the tokens of the last such writes that it was given
 */
public record SessionRecord(String id, long version, Instant creationTime, Instant lastAccessedTime,
		Duration maxInactiveInterval, @Nullable String principalName, Map<String, byte[]> attributes,
		UnpersistedWrites unpersisted, Set<String> persisted) {

	/**
	 * The version of a copy that the durable store does not know yet: plain Spring
	 * Session wrote it, or it was created while the durable store was down.
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
		persisted = Set.copyOf(persisted);
	}

	/**
	 * Create a state that was never unpersisted.
	 * @param id the session id
	 * @param version the number of durable writes so far
	 * @param creationTime when the session was created
	 * @param lastAccessedTime when the session was last used
	 * @param maxInactiveInterval how long the session lives without being used
	 * @param principalName the name of the principal, or {@code null}
	 * @param attributes the attributes by name
	 */
	public SessionRecord(String id, long version, Instant creationTime, Instant lastAccessedTime,
			Duration maxInactiveInterval, @Nullable String principalName, Map<String, byte[]> attributes) {
		this(id, version, creationTime, lastAccessedTime, maxInactiveInterval, principalName, attributes,
				UnpersistedWrites.NONE, Set.of());
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
	 * The same state with a last access that is not before another.
	 * @param access the other
	 * @return a record whose last access is the later of both
	 */
	public SessionRecord accessedAt(Instant access) {
		return access.isAfter(this.lastAccessedTime) ? with(this.version, access, this.unpersisted) : this;
	}

	/**
	 * The same state under another version.
	 * @param newVersion the version of the result
	 * @return a record that differs in its version only
	 */
	public SessionRecord withVersion(long newVersion) {
		return with(newVersion, this.lastAccessedTime, this.unpersisted);
	}

	/**
	 * What identifies this state.
	 * @return a record without the attributes, which are most of its size
	 */
	public SessionRecord withoutAttributes() {
		return new SessionRecord(this.id, this.version, this.creationTime, this.lastAccessedTime,
				this.maxInactiveInterval, this.principalName, Map.of(), this.unpersisted, this.persisted);
	}

	/**
	 * The state that a durable write makes of this one.
	 * @param newVersion the version of the result
	 * @param tokens the tokens of the unpersisted writes that it includes
	 * @return a record that has nothing unpersisted
	 */
	public SessionRecord committed(long newVersion, Collection<String> tokens) {
		return with(newVersion, this.lastAccessedTime, UnpersistedWrites.NONE).knowing(tokens);
	}

	/**
	 * The same state, knowing more of what the durable store was given.
	 * @param tokens tokens of unpersisted writes that its row includes
	 * @return a record that differs in its persisted tokens only
	 */
	public SessionRecord knowing(Collection<String> tokens) {
		Set<String> all = new HashSet<>(this.persisted);
		all.addAll(tokens);
		return new SessionRecord(this.id, this.version, this.creationTime, this.lastAccessedTime,
				this.maxInactiveInterval, this.principalName, this.attributes, this.unpersisted, all);
	}

	/**
	 * The same copy without what a later change has replaced.
	 * @param later the change, which is no unpersisted one
	 * @return a record that differs in its unpersisted writes only, and still has the
	 * tokens of all
	 */
	public SessionRecord supersededBy(SessionChange later) {
		return with(this.version, this.lastAccessedTime, this.unpersisted.supersededBy(later));
	}

	/**
	 * The state after a write that only Redis takes.
	 * @param change the write
	 * @param token its token, never used before
	 * @return a record of the same version that names what was written
	 */
	public SessionRecord withUnpersisted(SessionChange change, String token) {
		SessionRecord next = change.applyTo(this);
		return next.with(this.version, next.lastAccessedTime(), this.unpersisted.with(change, token));
	}

	/**
	 * This state and what only an older copy has, be it one under an earlier id. Of the
	 * parts that both have unpersisted the copy's are later where it knows the write that
	 * this state has, and earlier otherwise.
	 * @param copy the copy
	 * @param change a later change that this state includes, if any: it wins
	 * @return a record of this version that still names what is unpersisted
	 */
	public SessionRecord with(SessionRecord copy, @Nullable SessionChange change) {
		UnpersistedWrites own = this.unpersisted.without(copy.unpersisted().tokens());
		UnpersistedWrites shared = this.unpersisted.without(own.tokens());
		UnpersistedWrites left = copy.unpersisted().without(this.persisted).without(this.unpersisted.tokens());
		SessionChange more = left.under(own).changeOf(copy);
		SessionRecord both = more.then((change != null) ? change : SessionChange.none(this)).applyTo(this);
		UnpersistedWrites writes = own.over(left.over(shared));
		return both.with(this.version, both.lastAccessedTime(),
				(change != null) ? writes.supersededBy(change) : writes);
	}

	private SessionRecord with(long newVersion, Instant access, UnpersistedWrites writes) {
		return new SessionRecord(this.id, newVersion, this.creationTime, access, this.maxInactiveInterval,
				this.principalName, this.attributes, writes, this.persisted);
	}

}

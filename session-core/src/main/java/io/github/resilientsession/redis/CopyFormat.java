package io.github.resilientsession.redis;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

import io.github.resilientsession.codec.AttributeCodec;
import io.github.resilientsession.codec.NumberCodec;
import io.github.resilientsession.record.Lookup;
import io.github.resilientsession.record.SessionRecord;
import io.github.resilientsession.record.TtlPolicy;
import io.github.resilientsession.record.UnpersistedWrites;
import org.jspecify.annotations.Nullable;

/**
 * The layout of a copy: the hash of plain Spring Session plus a version, so that plain
 * nodes read our copies and we read theirs. <pre>
 * HGETALL spring:session:sessions:33fdd1b6-b496-4b33-9f7d-df96679d32fe
 *   creationTime            (Long, milliseconds since the epoch)
 *   lastAccessedTime        (Long, milliseconds since the epoch)
 *   maxInactiveInterval     (Integer, seconds)
 *   sessionAttr:cart        (the attribute)
 *   version                 (Long; none until the durable store knows the session)
 *   unpersisted             (String; only while the copy has what the durable store does not know)
 * </pre> Every value is written by the configured serializer, the version too: plain
 * nodes deserialize every field. A tombstone is the same hash with a negative version and
 * an interval of zero, which a plain node takes for an expired session. Its times are
 * above 2³¹, since smaller ones come back from JSON as {@code Integer} and break plain
 * readers.
 */
final class CopyFormat {

	private static final String ATTRIBUTE_PREFIX = "sessionAttr:";

	/**
	 * Of an unpersisted tombstone: what stands before the new id.
	 */
	private static final String MOVED = "moved ";

	private static final byte[] CREATION_TIME = utf8("creationTime");

	static final byte[] LAST_ACCESSED_TIME = utf8("lastAccessedTime");

	private static final byte[] MAX_INACTIVE_INTERVAL = utf8("maxInactiveInterval");

	static final byte[] VERSION = utf8("version");

	static final byte[] UNPERSISTED = utf8("unpersisted");

	private static final long TOMBSTONE_TIME = 1L << 32;

	private final AttributeCodec codec;

	private final NumberCodec numbers;

	private final TtlPolicy ttlPolicy;

	CopyFormat(AttributeCodec codec, TtlPolicy ttlPolicy) {
		this.codec = codec;
		this.numbers = new NumberCodec(codec);
		this.ttlPolicy = ttlPolicy;
		if (!Arrays.equals(encode("same"), encode("same"))) {
			throw new IllegalArgumentException("The serializer " + codec.serializer().getClass().getName()
					+ " writes the same value differently each time, for example because it encrypts with a salt. Copies in "
					+ "Redis are compared by their bytes. Use a serializer that always writes the same, and encrypt "
					+ "attributes one by one where they are set.");
		}
	}

	/**
	 * The longest that any copy may live without being used.
	 */
	Duration maxLife() {
		return this.ttlPolicy.max();
	}

	List<byte[]> fieldsOf(SessionRecord session) {
		List<byte[]> fields = new ArrayList<>(8 + 2 * session.attributes().size());
		add(fields, CREATION_TIME, time(session.creationTime()));
		add(fields, LAST_ACCESSED_TIME, time(session.lastAccessedTime()));
		add(fields, MAX_INACTIVE_INTERVAL, seconds(session.maxInactiveInterval()));
		if (session.version() != SessionRecord.UNVERSIONED) {
			add(fields, VERSION, this.numbers.encode(session.version()));
		}
		if (!session.unpersisted().isEmpty()) {
			add(fields, UNPERSISTED, mark(session.unpersisted()));
		}
		session.attributes().forEach((name, value) -> add(fields, attributeField(name), value));
		return fields;
	}

	/**
	 * The fields that a change sets.
	 * @param version the version afterwards, or {@link SessionRecord#UNVERSIONED} to
	 * leave it as it is
	 */
	List<byte[]> fieldsOfChange(Map<String, byte[]> attributes, @Nullable Duration maxInactiveInterval, long version) {
		List<byte[]> fields = new ArrayList<>(4 + 2 * attributes.size());
		if (version != SessionRecord.UNVERSIONED) {
			add(fields, VERSION, this.numbers.encode(version));
		}
		if (maxInactiveInterval != null) {
			add(fields, MAX_INACTIVE_INTERVAL, seconds(maxInactiveInterval));
		}
		attributes.forEach((name, value) -> add(fields, attributeField(name), value));
		return fields;
	}

	/**
	 * The fields of a tombstone.
	 */
	List<byte[]> tombstone(long endedVersion) {
		List<byte[]> fields = new ArrayList<>(10);
		add(fields, CREATION_TIME, this.numbers.encode(TOMBSTONE_TIME));
		add(fields, LAST_ACCESSED_TIME, this.numbers.encode(TOMBSTONE_TIME));
		add(fields, MAX_INACTIVE_INTERVAL, this.numbers.encodeInt(0));
		add(fields, VERSION, this.numbers.encode(-Math.max(1, endedVersion)));
		return fields;
	}

	/**
	 * The fields of a tombstone of which the durable store has yet to be told.
	 * @param movedTo the id that the session was given instead, or {@code null}
	 */
	List<byte[]> unpersistedTombstone(long endedVersion, @Nullable String movedTo) {
		List<byte[]> fields = tombstone(endedVersion);
		add(fields, UNPERSISTED, encode((movedTo != null) ? MOVED + movedTo : "ended"));
		return fields;
	}

	byte[] attributeField(String name) {
		return utf8(ATTRIBUTE_PREFIX + name);
	}

	/**
	 * The version as it is stored; empty if a copy has none.
	 */
	byte[] versionBytes(long version) {
		return (version == SessionRecord.UNVERSIONED) ? new byte[0] : this.numbers.encode(version);
	}

	long version(byte[] bytes) {
		return (bytes.length == 0) ? SessionRecord.UNVERSIONED : this.numbers.decode(bytes);
	}

	/**
	 * The mark of unpersisted writes as it is stored; empty if there are none.
	 */
	byte[] mark(UnpersistedWrites writes) {
		return writes.isEmpty() ? new byte[0] : encode(writes.text());
	}

	private byte[] encode(String value) {
		return this.codec.encode("mark", value);
	}

	/**
	 * Read a copy.
	 * @param fields the hash, not empty
	 * @return a hit or ended
	 * @throws UnreadableCopyException if the hash is not a whole copy
	 */
	Lookup read(String id, Map<byte[], byte[]> fields) {
		byte[] creationTime = null;
		byte[] lastAccessedTime = null;
		byte[] maxInactiveInterval = null;
		byte[] version = new byte[0];
		byte[] mark = new byte[0];
		Map<String, byte[]> attributes = new LinkedHashMap<>();
		for (Map.Entry<byte[], byte[]> field : fields.entrySet()) {
			String name = new String(field.getKey(), StandardCharsets.UTF_8);
			byte[] value = field.getValue();
			switch (name) {
				case "creationTime" -> creationTime = value;
				case "lastAccessedTime" -> lastAccessedTime = value;
				case "maxInactiveInterval" -> maxInactiveInterval = value;
				case "version" -> version = value;
				case "unpersisted" -> mark = value;
				default -> {
					// Plain Spring Session leaves zero bytes where an attribute was
					// removed.
					if (name.startsWith(ATTRIBUTE_PREFIX) && value.length > 0) {
						attributes.put(name.substring(ATTRIBUTE_PREFIX.length()), value);
					}
				}
			}
		}
		if (creationTime == null || lastAccessedTime == null || maxInactiveInterval == null) {
			throw new UnreadableCopyException("a field is missing", version, mark, null);
		}
		try {
			long number = version(version);
			if (number < 0) {
				return new Lookup.Ended(movedTo(mark));
			}
			Duration interval = Duration.ofSeconds(this.numbers.decode(maxInactiveInterval));
			return new Lookup.Hit(new SessionRecord(id, number, time(creationTime), time(lastAccessedTime),
					(interval.toSeconds() > 0) ? interval : this.ttlPolicy.limit(interval), null, attributes,
					writes(mark), Set.of()));
		}
		catch (RuntimeException ex) {
			throw new UnreadableCopyException("a field cannot be read", version, mark, ex);
		}
	}

	private @Nullable String movedTo(byte[] mark) {
		String text = (mark.length == 0) ? "" : (String) this.codec.decode("mark", mark);
		return text.startsWith(MOVED) ? text.substring(MOVED.length()) : null;
	}

	private UnpersistedWrites writes(byte[] mark) {
		return (mark.length == 0) ? UnpersistedWrites.NONE
				: UnpersistedWrites.parse((String) this.codec.decode("mark", mark));
	}

	Instant time(byte[] bytes) {
		return Instant.ofEpochMilli(this.numbers.decode(bytes));
	}

	byte[] time(Instant time) {
		return this.numbers.encode(time.toEpochMilli());
	}

	private byte[] seconds(Duration interval) {
		return this.numbers.encodeInt(Math.toIntExact(interval.toSeconds()));
	}

	private static void add(List<byte[]> fields, byte[] name, byte[] value) {
		fields.add(name);
		fields.add(value);
	}

	private static byte[] utf8(String text) {
		return text.getBytes(StandardCharsets.UTF_8);
	}

	/**
	 * Thrown when a hash is not a whole copy.
	 */
	static final class UnreadableCopyException extends RuntimeException {

		private final byte[] version;

		private final byte[] mark;

		UnreadableCopyException(String message, byte[] version, byte[] mark, @Nullable Throwable cause) {
			super(message, cause);
			this.version = version;
			this.mark = mark;
		}

		byte[] version() {
			return this.version;
		}

		byte[] mark() {
			return this.mark;
		}

	}

}

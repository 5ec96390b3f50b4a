package io.github.resilientsession.durable;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Set;

import io.github.resilientsession.codec.AttributesPayload;
import io.github.resilientsession.record.SessionRecord;
import io.github.resilientsession.record.UnpersistedWrites;
import jakarta.persistence.Column;
import jakarta.persistence.Entity;
import jakarta.persistence.Id;
import jakarta.persistence.Table;
import org.jspecify.annotations.Nullable;

import org.springframework.util.StringUtils;

/**
 * A row of the table of sessions. Times are in milliseconds since the epoch.
 */
@Entity
@Table(name = "resilient_session")
class SessionRow {

	static final int ACTIVE = 0;

	static final int ENDED = 1;

	/**
	 * The granularity of {@link #expiresAt}.
	 */
	static final long EXPIRY_BUCKET_MILLIS = 60_000;

	/**
	 * How much longer than any copy of it an ended row is kept: longer than anything that
	 * is in flight.
	 */
	static final Duration KEPT_AFTER_END = Duration.ofMinutes(10);

	static final int MAX_PRINCIPAL_LENGTH = 512;

	static final String COLUMNS = "session_id, version, principal_name, created_at, last_accessed_at, "
			+ "max_inactive_seconds, expires_at, attributes, state, redis_pending, persisted_writes, moved_to";

	@Id
	@Column(name = "session_id")
	private String id = "";

	@Column(name = "version")
	private long version;

	@Column(name = "principal_name")
	private @Nullable String principalName;

	@Column(name = "created_at")
	private long createdAt;

	@Column(name = "last_accessed_at")
	private long lastAccessedAt;

	@Column(name = "max_inactive_seconds")
	private long maxInactiveSeconds;

	/**
	 * When the row may be looked at for removal: rounded up to a minute, since it is
	 * indexed, and a touch that changes an indexed column costs PostgreSQL a heap-only
	 * update.
	 */
	@Column(name = "expires_at")
	private long expiresAt;

	@Column(name = "attributes")
	private byte[] attributes = new byte[0];

	@Column(name = "state")
	private int state;

	@Column(name = "redis_pending")
	private boolean redisPending;

	/**
	 * What names the writes that were made without the database and have been merged in.
	 */
	@Column(name = "persisted_writes")
	private @Nullable String persistedWrites;

	/**
	 * Of an ended row, the id that the session was given instead.
	 */
	@Column(name = "moved_to")
	private @Nullable String movedTo;

	protected SessionRow() {
	}

	static SessionRow read(ResultSet columns) throws SQLException {
		SessionRow row = new SessionRow();
		row.id = columns.getString(1);
		row.version = columns.getLong(2);
		row.principalName = columns.getString(3);
		row.createdAt = columns.getLong(4);
		row.lastAccessedAt = columns.getLong(5);
		row.maxInactiveSeconds = columns.getLong(6);
		row.expiresAt = columns.getLong(7);
		row.attributes = columns.getBytes(8);
		row.state = columns.getInt(9);
		row.redisPending = columns.getBoolean(10);
		row.persistedWrites = columns.getString(11);
		row.movedTo = columns.getString(12);
		return row;
	}

	/**
	 * A principal's name as the column holds it: one that is too long ends in its hash,
	 * so that two of them never become one.
	 */
	static @Nullable String principalColumn(@Nullable String name) {
		if (name == null || name.length() <= MAX_PRINCIPAL_LENGTH) {
			return name;
		}
		try {
			byte[] digest = MessageDigest.getInstance("SHA-256").digest(name.getBytes(StandardCharsets.UTF_8));
			String hash = HexFormat.of().formatHex(digest);
			return name.substring(0, MAX_PRINCIPAL_LENGTH - hash.length()) + hash;
		}
		catch (NoSuchAlgorithmException ex) {
			throw new IllegalStateException("Every Java platform has SHA-256", ex);
		}
	}

	static long expiresAt(Instant lastAccessedTime, Duration maxInactiveInterval, Duration grace) {
		return rounded(lastAccessedTime.plus(maxInactiveInterval).plus(grace));
	}

	static long rounded(Instant expiry) {
		long exact = expiry.toEpochMilli();
		return Math.floorDiv(exact + EXPIRY_BUCKET_MILLIS - 1, EXPIRY_BUCKET_MILLIS) * EXPIRY_BUCKET_MILLIS;
	}

	String id() {
		return this.id;
	}

	long version() {
		return this.version;
	}

	long expiresAt() {
		return this.expiresAt;
	}

	boolean isEnded() {
		return this.state == ENDED;
	}

	@Nullable String movedTo() {
		return this.movedTo;
	}

	boolean isExpiredAt(Instant now, DurableSettings settings) {
		Duration interval = Duration.ofSeconds(this.maxInactiveSeconds);
		Instant end = Instant.ofEpochMilli(this.lastAccessedAt).plus(interval).plus(settings.graceFor(interval));
		return !now.isBefore(end);
	}

	/**
	 * The tokens of the unpersisted writes that it was given.
	 */
	Set<String> persisted() {
		return tokens(this.persistedWrites);
	}

	static Set<String> tokens(@Nullable String persistedWrites) {
		return Set.copyOf(Arrays.asList(StringUtils.tokenizeToStringArray(persistedWrites, " ")));
	}

	SessionRecord toRecord() {
		return new SessionRecord(this.id, this.version, Instant.ofEpochMilli(this.createdAt),
				Instant.ofEpochMilli(this.lastAccessedAt), Duration.ofSeconds(this.maxInactiveSeconds),
				this.principalName, AttributesPayload.decode(this.attributes), UnpersistedWrites.NONE, persisted());
	}

}

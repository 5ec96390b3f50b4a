package io.github.resilientsession.durable;

import java.time.Duration;

import io.github.resilientsession.codec.AttributesPayload;
import io.github.resilientsession.record.SessionChange;
import io.github.resilientsession.record.SessionRecord;
import org.jspecify.annotations.Nullable;

/**
 * What a request wants to be written: values of columns, made by the thread of the
 * request and not by the one that executes the statement.
 */
final class RowWrite {

	private RowWrite() {
	}

	/**
	 * The active row of a session.
	 */
	static final class State {

		private final SessionRecord session;

		private final long expectedVersion;

		private final SessionChange.@Nullable Principal newPrincipal;

		private final boolean redisPending;

		private final @Nullable String persistedWrites;

		private final long life;

		private final byte[] attributes;

		private State(SessionRecord session, long expectedVersion, SessionChange.@Nullable Principal newPrincipal,
				boolean redisPending, @Nullable String persistedWrites, DurableSettings settings) {
			this.session = session;
			this.expectedVersion = expectedVersion;
			this.newPrincipal = newPrincipal;
			this.redisPending = redisPending;
			this.persistedWrites = persistedWrites;
			Duration interval = session.maxInactiveInterval();
			this.life = interval.plus(settings.graceFor(interval)).toMillis();
			this.attributes = AttributesPayload.encode(session.attributes());
		}

		/**
		 * A new state in place of one of a certain version.
		 * @param principal the new principal, or {@code null} to keep the one it has
		 */
		static State update(SessionRecord next, long expectedVersion, SessionChange.@Nullable Principal principal,
				boolean redisPending, @Nullable String persistedWrites, DurableSettings settings) {
			return new State(next, expectedVersion, principal, redisPending, persistedWrites, settings);
		}

		/**
		 * A state where there is none, with the principal that it has.
		 */
		static State insert(SessionRecord session, long expectedVersion, boolean redisPending,
				@Nullable String persistedWrites, DurableSettings settings) {
			return new State(session, expectedVersion, new SessionChange.Principal(session.principalName()),
					redisPending, persistedWrites, settings);
		}

		String id() {
			return this.session.id();
		}

		long expectedVersion() {
			return this.expectedVersion;
		}

		long version() {
			return this.session.version();
		}

		long created() {
			return this.session.creationTime().toEpochMilli();
		}

		long accessed() {
			return this.session.lastAccessedTime().toEpochMilli();
		}

		long seconds() {
			return this.session.maxInactiveInterval().toSeconds();
		}

		/**
		 * How long the row may live after its last access, in milliseconds.
		 */
		long life() {
			return this.life;
		}

		long expiresAt() {
			return SessionRow.rounded(this.session.lastAccessedTime().plusMillis(this.life));
		}

		int bytes() {
			return this.attributes.length;
		}

		byte[] attributes() {
			return this.attributes;
		}

		boolean hasPrincipal() {
			return this.newPrincipal != null;
		}

		@Nullable String principal() {
			return (this.newPrincipal != null) ? SessionRow.principalColumn(this.newPrincipal.name()) : null;
		}

		boolean redisPending() {
			return this.redisPending;
		}

		@Nullable String persistedWrites() {
			return this.persistedWrites;
		}

	}

	/**
	 * Another id for a session.
	 *
	 * @param oldId the id so far
	 * @param next the row under the new id; its expected version is that of the old row
	 * @param now the time, in milliseconds since the epoch
	 */
	record Change(String oldId, State next, long now) {

	}

	/**
	 * The end of a session, or of an id.
	 *
	 * @param id the id
	 * @param movedTo the id that the session has been given instead, if any
	 * @param now the time, in milliseconds since the epoch
	 * @param redisPending whether Redis is not going to be told
	 */
	record End(String id, @Nullable String movedTo, long now, boolean redisPending) {

	}

}

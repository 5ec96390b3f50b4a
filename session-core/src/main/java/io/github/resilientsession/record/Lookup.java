package io.github.resilientsession.record;

import java.util.Set;

import org.jspecify.annotations.Nullable;

/**
 * What a tier, or the read path over both, answers when asked for a session.
 */
public sealed interface Lookup {

	/**
	 * The session is there.
	 *
	 * @param session its state
	 */
	record Hit(SessionRecord session) implements Lookup {

	}

	/**
	 * The tier answered and has no such session, or one that it cannot read.
	 */
	record Miss() implements Lookup {

	}

	/**
	 * The tier answered that the session was ended: it must not come back.
	 *
	 * @param movedTo the id that the session was given instead, as far as the tier knows;
	 * {@code null} if it is over
	 * @param persisted of a row, the tokens of the unpersisted writes that it had been
	 * given
	 */
	record Ended(@Nullable String movedTo, Set<String> persisted) implements Lookup {

		/**
		 * Create the answer of a tier that knows of no tokens.
		 * @param movedTo the id that the session was given instead, or {@code null}
		 */
		public Ended(@Nullable String movedTo) {
			this(movedTo, Set.of());
		}

	}

	/**
	 * The store has the session, and its last access known there says that it has
	 * expired.
	 *
	 * @param session its state
	 */
	record Expired(SessionRecord session) implements Lookup {

	}

	/**
	 * The tier did not answer, so nothing is known of the session.
	 *
	 * @param cause why there was no answer
	 */
	record Unavailable(Throwable cause) implements Lookup {

	}

}

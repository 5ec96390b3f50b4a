package io.github.resilientsession.flow;

import io.github.resilientsession.record.SessionRecord;

/**
 * What became of a write.
 */
public sealed interface WriteOutcome {

	/**
	 * It was committed.
	 *
	 * @param session the state after it
	 */
	record Written(SessionRecord session) implements WriteOutcome {

	}

	/**
	 * The session had been ended before, so the write was dropped.
	 */
	record Dropped() implements WriteOutcome {

	}

	/**
	 * It was not acknowledged: no store that could keep it took it.
	 *
	 * @param cause why
	 */
	record Unavailable(Throwable cause) implements WriteOutcome {

	}

}

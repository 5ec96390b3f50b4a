package io.github.resilientsession.flow;

import io.github.resilientsession.record.SessionRecord;

/**
 * Looks after copies that were put back into Redis: an older state may have filled a gap.
 * Called by threads that must not be held up.
 */
public interface RebuildWatch {

	/**
	 * Whether there is room for one more to look after.
	 * @return {@code false} if it should not be put back now
	 */
	boolean mayRebuild();

	/**
	 * Look after a copy that was put back, or may have been.
	 * @param session the session, without its attributes
	 */
	void rebuilt(SessionRecord session);

}

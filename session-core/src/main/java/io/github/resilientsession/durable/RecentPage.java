package io.github.resilientsession.durable;

import java.util.List;

import io.github.resilientsession.record.SessionRecord;
import org.jspecify.annotations.Nullable;

/**
 * Some of the active sessions, those that expire last first.
 *
 * @param sessions those that have not expired and can be read
 * @param next where to go on, or {@code null} if there are no more
 */
public record RecentPage(List<SessionRecord> sessions, @Nullable Position next) {

	/**
	 * A place between two sessions.
	 *
	 * @param expiresAt the expiry of the row before, in milliseconds since the epoch
	 * @param id the id of the row before
	 */
	public record Position(long expiresAt, String id) {

	}

}

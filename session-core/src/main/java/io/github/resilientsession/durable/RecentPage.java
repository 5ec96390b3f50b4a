package io.github.resilientsession.durable;

import java.util.List;

import io.github.resilientsession.record.SessionRecord;
import org.jspecify.annotations.Nullable;

/**
 * Some of the active sessions, those first that expire last.
 *
 * @param sessions the sessions, those that cannot be read left out
 * @param next where the next page begins, or {@code null} if this was the last
 */
public record RecentPage(List<SessionRecord> sessions, @Nullable Position next) {

	/**
	 * A position between two rows.
	 *
	 * @param expiresAt when the row before it expires, in milliseconds since the epoch
	 * @param id the id of the row before it
	 */
	public record Position(long expiresAt, String id) {

	}

}

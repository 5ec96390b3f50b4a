package io.github.resilientsession.durable;

import io.github.resilientsession.record.SessionRecord;
import org.jspecify.annotations.Nullable;

/**
 * A durable commit that Redis has missed.
 *
 * @param id the session's id
 * @param version the committed version
 * @param session the committed state, or {@code null} if the session was ended
 * @param over whether it is certain that the session is over, not just under this id
 */
public record PendingRow(String id, long version, @Nullable SessionRecord session, boolean over) {

}

package io.github.resilientsession.durable;

import java.time.Instant;

/**
 * An access to a session that is to become durable.
 *
 * @param id the session's id
 * @param lastAccessedTime when it was accessed
 */
public record Touch(String id, Instant lastAccessedTime) {

}

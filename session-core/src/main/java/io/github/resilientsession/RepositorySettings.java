package io.github.resilientsession;

import java.time.Duration;

import io.github.resilientsession.record.TtlPolicy;

/**
 * The rules that the repository holds sessions to.
 *
 * @param ttl how long sessions may live
 * @param maxSessionSize how many bytes the attributes of a session may take
 * @param unreadableAttributes what happens to an attribute that cannot be deserialized
 * @param retryAfter how long a client should wait when no store answers
 */
public record RepositorySettings(TtlPolicy ttl, long maxSessionSize, UnreadableAttributePolicy unreadableAttributes,
		Duration retryAfter) {

}

package io.github.resilientsession.durable;

/**
 * How far a session has come.
 *
 * @param version the committed version
 * @param ended whether the session was ended with it
 */
public record RowVersion(long version, boolean ended) {

}

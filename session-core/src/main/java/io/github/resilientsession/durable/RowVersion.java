package io.github.resilientsession.durable;

/**
 * What is known of a row without reading all of it.
 *
 * @param version its version
 * @param ended whether the session was ended
 */
public record RowVersion(long version, boolean ended) {

}

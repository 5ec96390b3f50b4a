package io.github.resilientsession.checker;

/**
 * An acknowledgement; times are those of {@link Timeline#now()}.
 *
 * @param value what was written, or 0 for the end or the beginning of a life
 * @param node who acknowledged it
 * @param read when the request began to read what it was based on
 * @param began when it was asked for
 * @param at when it was acknowledged
 * @param unpersisted whether the node said, before it acknowledged, that only Redis has
 * it
 * @param blind whether that node did not get through to Redis, when it wrote or when it
 * read what it wrote to
 */
record Ack(long value, int node, long read, long began, long at, boolean unpersisted, boolean blind) {

}

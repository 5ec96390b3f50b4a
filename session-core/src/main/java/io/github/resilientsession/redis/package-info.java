/**
 * The Redis tier: copies of sessions in the hash layout of plain Spring Session, each
 * written by one script that also sets its TTL.
 */
@org.jspecify.annotations.NullMarked
package io.github.resilientsession.redis;

/**
 * The doctor: looks at the Redis server for what will cost sessions, without changing
 * anything, and says what to do.
 */
@org.jspecify.annotations.NullMarked
package io.github.resilientsession.doctor;

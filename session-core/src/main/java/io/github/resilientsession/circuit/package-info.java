/**
 * The circuit breaker around each tier, and the background probe that closes it.
 */
@org.jspecify.annotations.NullMarked
package io.github.resilientsession.circuit;

/**
 * What brings the tiers to agree again in the background: writes that Redis missed,
 * touches and writes that the durable store has yet to learn of, copies that are compared
 * with their rows after Redis has lost data, and sessions that have expired.
 */
@org.jspecify.annotations.NullMarked
package io.github.resilientsession.reconcile;

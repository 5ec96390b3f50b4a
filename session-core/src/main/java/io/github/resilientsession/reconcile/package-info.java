/**
 * What brings the tiers to agree again in the background: writes that Redis missed, and
 * touches that the durable store has yet to learn of.
 */
@org.jspecify.annotations.NullMarked
package io.github.resilientsession.reconcile;

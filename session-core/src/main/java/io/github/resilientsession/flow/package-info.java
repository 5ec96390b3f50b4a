/**
 * The paths of a read and of a write: the only place that decides in which order the
 * tiers are asked and told.
 */
@org.jspecify.annotations.NullMarked
package io.github.resilientsession.flow;

/**
 * Turns attributes into bytes and back, the same bytes for both tiers.
 */
@org.jspecify.annotations.NullMarked
package io.github.resilientsession.codec;

/**
 * The values that travel between the tiers; they know the JDK only.
 */
@org.jspecify.annotations.NullMarked
package io.github.resilientsession.record;

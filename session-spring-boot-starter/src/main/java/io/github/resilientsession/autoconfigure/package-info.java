/**
 * Auto-configuration: replaces Spring Session's Redis repository by the resilient one.
 */
@org.jspecify.annotations.NullMarked
package io.github.resilientsession.autoconfigure;

/**
 * What operators see of the session stores: health, an endpoint and meters.
 */
@org.jspecify.annotations.NullMarked
package io.github.resilientsession.actuate;

/**
 * The known outages replayed against real servers: once with plain Spring Session, once
 * with Resilient Session, with the same visitors.
 */
package io.github.resilientsession.drill;

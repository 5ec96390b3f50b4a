/**
 * The durable tier: one row per session in a relational database, the truth about every
 * session.
 */
@org.jspecify.annotations.NullMarked
package io.github.resilientsession.durable;

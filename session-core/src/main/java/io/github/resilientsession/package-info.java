/**
 * HTTP sessions that outlive Redis: the repository that Spring Session calls, and the
 * session that an application sees.
 */
@org.jspecify.annotations.NullMarked
package io.github.resilientsession;

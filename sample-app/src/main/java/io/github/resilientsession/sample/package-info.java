/**
 * A small shop whose logins and carts live in the HTTP session.
 */
@NullMarked
package io.github.resilientsession.sample;

import org.jspecify.annotations.NullMarked;

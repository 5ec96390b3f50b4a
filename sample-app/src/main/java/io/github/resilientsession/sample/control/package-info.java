/**
 * The control room of the demo: shows live what the stores do, and lets people break
 * them.
 */
@NullMarked
package io.github.resilientsession.sample.control;

import org.jspecify.annotations.NullMarked;

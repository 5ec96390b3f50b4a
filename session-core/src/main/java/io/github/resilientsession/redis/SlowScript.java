package io.github.resilientsession.redis;

import java.time.Duration;

/**
 * A script that Redis has noted as slow.
 *
 * @param at when it ran, in seconds since the epoch by Redis's clock
 * @param took for how long it kept everybody else waiting
 * @param ours whether it is one of this library's
 */
public record SlowScript(long at, Duration took, boolean ours) {

}

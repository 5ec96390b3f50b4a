package io.github.resilientsession.reconcile;

/**
 * How Redis is brought to agree with the durable store after it has lost data or has got
 * older data back.
 *
 * @param sessionsPerSecond how many sessions are looked at per second at most
 * @param memoryHeadroom the part of Redis's memory, from 0 to 1, that sessions which are
 * put back leave free: of {@code maxmemory}, or of the machine's where that is not set
 */
public record ResyncSettings(int sessionsPerSecond, double memoryHeadroom) {

}

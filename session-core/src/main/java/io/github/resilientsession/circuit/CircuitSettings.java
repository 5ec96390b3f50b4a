package io.github.resilientsession.circuit;

import java.time.Duration;

/**
 * When a breaker opens, and how soon a probe looks whether it may close.
 *
 * @param slidingWindowSize how many of the latest calls are looked at
 * @param minimumCalls how many calls it takes to judge at all
 * @param failureRateThreshold the percentage of failed calls from which on it opens
 * @param probeInterval how long to wait between two probes of a tier that is cut off
 */
public record CircuitSettings(int slidingWindowSize, int minimumCalls, float failureRateThreshold,
		Duration probeInterval) {

}

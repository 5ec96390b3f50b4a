package io.github.resilientsession.flow;

import java.time.Duration;

/**
 * The bounds of what misses may do to the durable store.
 *
 * @param maxConcurrentLoads how many queries for missed sessions may run at once
 * @param maxBatchSize how many distinct sessions one query may load
 * @param queueCapacity how many distinct sessions may wait for a query
 * @param timeLimit how long a read may wait for its session, queueing included
 */
public record LoadSettings(int maxConcurrentLoads, int maxBatchSize, int queueCapacity, Duration timeLimit) {

}

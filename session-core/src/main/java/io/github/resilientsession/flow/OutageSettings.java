package io.github.resilientsession.flow;

import java.time.Duration;

/**
 * What happens to writes while the durable store is down.
 *
 * @param strict whether they are refused; otherwise Redis keeps them until the durable
 * store is back
 * @param maxSessionLife how long any session may live without being used
 */
public record OutageSettings(boolean strict, Duration maxSessionLife) {

}

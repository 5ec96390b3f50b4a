package io.github.resilientsession.redis;

/**
 * What some keys are that were picked at random.
 *
 * @param size how many different keys were looked at
 * @param foreign how many of them are not in the namespace of sessions
 * @param immortal how many of them are sessions without a TTL
 */
public record KeySample(int size, int foreign, int immortal) {

}

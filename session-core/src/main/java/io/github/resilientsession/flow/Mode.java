package io.github.resilientsession.flow;

/**
 * Which store is the truth.
 */
public enum Mode {

	/**
	 * Redis is: for a roll-out in which plain Spring Session nodes still serve the same
	 * sessions. The durable store is filled, but a clean miss in Redis is believed.
	 */
	SHADOW,

	/**
	 * The durable store is, and Redis holds copies.
	 */
	ACTIVE

}

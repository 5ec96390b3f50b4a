package io.github.resilientsession.flow;

import io.github.resilientsession.circuit.TierUnavailableException;

/**
 * Thrown when a commit needs to know what a copy has, and Redis does not say. The durable
 * store has refused nothing.
 */
final class CopyUnknownException extends TierUnavailableException {

	CopyUnknownException(TierUnavailableException cause) {
		super("What only Redis has of the session cannot be merged, since Redis does not say: " + cause.getMessage(),
				cause);
	}

}

package io.github.resilientsession.circuit;

import org.jspecify.annotations.Nullable;

/**
 * Thrown when a tier failed, did not answer in time, or is cut off by its breaker.
 */
public class TierUnavailableException extends RuntimeException {

	public TierUnavailableException(String message, @Nullable Throwable cause) {
		super(message, cause);
	}

}

package io.github.resilientsession.codec;

/**
 * Thrown when the attributes of a row cannot be read.
 */
public final class CorruptPayloadException extends RuntimeException {

	CorruptPayloadException(String reason) {
		super("The payload is corrupt: " + reason);
	}

}

package io.github.resilientsession.codec;

import org.jspecify.annotations.Nullable;

/**
 * Thrown when the bytes of an attribute do not give a value any more. The bytes stay in
 * the stores.
 */
public final class AttributeNotReadableException extends RuntimeException {

	AttributeNotReadableException(String name, @Nullable Throwable cause) {
		super("The session attribute '" + name + "' cannot be deserialized. Its class was probably changed or removed "
				+ "since it was stored: keep the class compatible, or change the attribute's name with its class.",
				cause);
	}

}

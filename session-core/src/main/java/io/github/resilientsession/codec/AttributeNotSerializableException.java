package io.github.resilientsession.codec;

import org.jspecify.annotations.Nullable;

/**
 * Thrown when a session is saved with an attribute that cannot be serialized; nothing of
 * the session has been written then.
 */
public final class AttributeNotSerializableException extends RuntimeException {

	AttributeNotSerializableException(String name, Class<?> type, @Nullable Throwable cause) {
		super("The session attribute '" + name + "' of type " + type.getName() + " cannot be serialized, so nothing "
				+ "of the session was saved. Let the type (and what it holds) be written by the configured serializer "
				+ "(for the default one: implement java.io.Serializable), or keep the value out of the session.",
				cause);
	}

}

package io.github.resilientsession.codec;

import org.springframework.data.redis.serializer.RedisSerializer;
import org.springframework.data.redis.serializer.SerializationException;

/**
 * Serializes one attribute at a time, with the serializer that plain Spring Session would
 * use. Safe for use by many threads if the serializer is.
 */
public final class AttributeCodec {

	private final RedisSerializer<Object> serializer;

	public AttributeCodec(RedisSerializer<Object> serializer) {
		this.serializer = serializer;
	}

	/**
	 * The serializer behind this codec.
	 * @return the serializer, also used for the fields of the Redis copy
	 */
	public RedisSerializer<Object> serializer() {
		return this.serializer;
	}

	/**
	 * Serialize the value of an attribute.
	 * @param name the attribute's name, for the message of a failure
	 * @param value the value
	 * @return its bytes, never empty
	 * @throws AttributeNotSerializableException if the serializer cannot write it
	 */
	public byte[] encode(String name, Object value) {
		byte[] bytes;
		try {
			bytes = this.serializer.serialize(value);
		}
		catch (SerializationException | IllegalArgumentException ex) {
			throw new AttributeNotSerializableException(name, value.getClass(), ex);
		}
		if (bytes == null || bytes.length == 0) {
			// Plain Spring Session stores a removed attribute as zero bytes.
			throw new AttributeNotSerializableException(name, value.getClass(), null);
		}
		return bytes;
	}

	/**
	 * Deserialize the value of an attribute.
	 * @param name the attribute's name, for the message of a failure
	 * @param bytes its bytes
	 * @return the value
	 * @throws AttributeNotReadableException if the bytes do not give a value, for example
	 * because the class has changed
	 */
	public Object decode(String name, byte[] bytes) {
		Object value;
		try {
			value = this.serializer.deserialize(bytes);
		}
		// A class that is gone or was changed can fail with any exception or linkage
		// error.
		catch (RuntimeException | LinkageError ex) {
			throw new AttributeNotReadableException(name, ex);
		}
		if (value == null) {
			throw new AttributeNotReadableException(name, null);
		}
		return value;
	}

}

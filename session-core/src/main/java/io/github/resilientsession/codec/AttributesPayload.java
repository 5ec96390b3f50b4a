package io.github.resilientsession.codec;

import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.zip.CRC32C;

/**
 * The attributes of a session in one column: <pre>
 * byte     format, 1
 * int      number of attributes
 * per attribute:
 *   int    length of the name     byte[] the name in UTF-8
 *   int    length of the value    byte[] the value
 * int      CRC-32C of all before
 * </pre> Numbers are big-endian.
 */
public final class AttributesPayload {

	private static final byte FORMAT = 1;

	private static final int OVERHEAD = 1 + Integer.BYTES + Integer.BYTES;

	private AttributesPayload() {
	}

	/**
	 * Write attributes.
	 * @param attributes the attributes by name
	 * @return the payload
	 */
	public static byte[] encode(Map<String, byte[]> attributes) {
		int size = OVERHEAD;
		List<byte[]> names = new ArrayList<>(attributes.size());
		for (Map.Entry<String, byte[]> attribute : attributes.entrySet()) {
			byte[] name = attribute.getKey().getBytes(StandardCharsets.UTF_8);
			names.add(name);
			size = Math.addExact(size, 2 * Integer.BYTES + name.length + attribute.getValue().length);
		}
		ByteBuffer payload = ByteBuffer.allocate(size);
		payload.put(FORMAT).putInt(attributes.size());
		int i = 0;
		for (byte[] value : attributes.values()) {
			byte[] name = names.get(i++);
			payload.putInt(name.length).put(name).putInt(value.length).put(value);
		}
		payload.putInt(checksum(payload.array(), payload.position()));
		return payload.array();
	}

	/**
	 * Read attributes.
	 * @param payload what {@link #encode} wrote
	 * @return the attributes by name
	 * @throws CorruptPayloadException if the payload is not one, or was changed
	 */
	public static Map<String, byte[]> decode(byte[] payload) {
		if (payload.length < OVERHEAD) {
			throw new CorruptPayloadException("it has only " + payload.length + " bytes");
		}
		ByteBuffer buffer = ByteBuffer.wrap(payload);
		int body = payload.length - Integer.BYTES;
		if (buffer.getInt(body) != checksum(payload, body)) {
			throw new CorruptPayloadException("its checksum does not match");
		}
		byte format = buffer.get();
		if (format != FORMAT) {
			throw new CorruptPayloadException("its format " + format + " is not known to this version");
		}
		buffer.limit(body);
		try {
			int count = buffer.getInt();
			Map<String, byte[]> attributes = new LinkedHashMap<>();
			for (int i = 0; i < count; i++) {
				String name = new String(part(buffer), StandardCharsets.UTF_8);
				attributes.put(name, part(buffer));
			}
			if (count < 0 || buffer.hasRemaining()) {
				throw new CorruptPayloadException("its number of attributes does not match");
			}
			return attributes;
		}
		catch (BufferUnderflowException ex) {
			throw new CorruptPayloadException("it is cut short");
		}
	}

	private static byte[] part(ByteBuffer buffer) {
		int length = buffer.getInt();
		if (length < 0 || length > buffer.remaining()) {
			throw new BufferUnderflowException();
		}
		byte[] bytes = new byte[length];
		buffer.get(bytes);
		return bytes;
	}

	private static int checksum(byte[] bytes, int length) {
		CRC32C crc = new CRC32C();
		crc.update(bytes, 0, length);
		return (int) crc.getValue();
	}

}

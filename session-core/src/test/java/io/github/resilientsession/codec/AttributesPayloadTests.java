package io.github.resilientsession.codec;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.zip.CRC32C;

import org.junit.jupiter.api.Test;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

class AttributesPayloadTests {

	private static final byte FORMAT = 1;

	@Test
	void decode_ofWhatWasEncoded_isEqualToTheByteAndInOrder() {
		Map<String, byte[]> attributes = sample();
		Map<String, byte[]> decoded = AttributesPayload.decode(AttributesPayload.encode(attributes));
		assertThat(decoded).usingRecursiveComparison().isEqualTo(attributes);
		assertThat(decoded.keySet()).containsExactlyElementsOf(attributes.keySet());
	}

	@Test
	void decode_ofNoAttributes_isEmpty() {
		assertThat(AttributesPayload.decode(AttributesPayload.encode(Map.of()))).isEmpty();
	}

	@Test
	void decode_ofEveryTruncation_isRefused() {
		byte[] payload = AttributesPayload.encode(sample());
		for (int length = 0; length < payload.length; length++) {
			assertCorrupt(Arrays.copyOf(payload, length));
		}
	}

	@Test
	void decode_ofEveryBitFlip_isRefused() {
		byte[] payload = AttributesPayload.encode(sample());
		for (int bit = 0; bit < payload.length * 8; bit++) {
			byte[] flipped = payload.clone();
			flipped[bit / 8] ^= (byte) (1 << (bit % 8));
			assertCorrupt(flipped);
		}
	}

	@Test
	void decode_ofAnUnknownFormat_isRefused() {
		assertCorrupt(signed(ByteBuffer.allocate(5).put((byte) 2).putInt(0)));
	}

	@Test
	void decode_ofHugeOrNegativeNumbers_isRefusedWithoutTakingMemory() {
		for (int number : new int[] { Integer.MAX_VALUE, Integer.MAX_VALUE - 8, -1, Integer.MIN_VALUE }) {
			assertCorrupt(signed(ByteBuffer.allocate(5).put(FORMAT).putInt(number)));
			assertCorrupt(signed(ByteBuffer.allocate(9).put(FORMAT).putInt(1).putInt(number)));
			assertCorrupt(
					signed(ByteBuffer.allocate(14).put(FORMAT).putInt(1).putInt(1).put((byte) 'a').putInt(number)));
		}
	}

	@Test
	void decode_ofBytesAfterTheLastAttribute_isRefused() {
		assertCorrupt(signed(ByteBuffer.allocate(6).put(FORMAT).putInt(0).put((byte) 1)));
	}

	private static Map<String, byte[]> sample() {
		Map<String, byte[]> attributes = new LinkedHashMap<>();
		attributes.put("z", new byte[] { 1, 0, -1 });
		attributes.put("", new byte[0]);
		attributes.put("ключ \u0000 \uD83D\uDD11", new byte[40]);
		attributes.put("a", new byte[] { 127 });
		return attributes;
	}

	private static byte[] signed(ByteBuffer body) {
		CRC32C crc = new CRC32C();
		crc.update(body.array());
		return ByteBuffer.allocate(body.capacity() + Integer.BYTES)
			.put(body.array())
			.putInt((int) crc.getValue())
			.array();
	}

	private static void assertCorrupt(byte[] payload) {
		assertThatExceptionOfType(CorruptPayloadException.class).isThrownBy(() -> AttributesPayload.decode(payload));
	}

}

package io.github.resilientsession.codec;

import java.nio.charset.StandardCharsets;
import java.util.stream.Stream;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

import org.springframework.data.redis.serializer.GenericJacksonJsonRedisSerializer;
import org.springframework.data.redis.serializer.RedisSerializer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

class NumberCodecTests {

	private static final long[] VALUES = { 0, 1, -1, 42, Integer.MAX_VALUE, Integer.MIN_VALUE, Long.MAX_VALUE,
			Long.MIN_VALUE, 1_764_000_000_000L, 0x8000_0000L, -7 };

	static Stream<RedisSerializer<Object>> serializers() {
		return Stream.of(RedisSerializer.java(), GenericJacksonJsonRedisSerializer.create((builder) -> {
		}), new Bracketed(), new Escaping());
	}

	@ParameterizedTest
	@MethodSource("serializers")
	void numbers_areWrittenAsTheSerializerWritesThem(RedisSerializer<Object> serializer) {
		NumberCodec numbers = new NumberCodec(new AttributeCodec(serializer));

		for (long value : VALUES) {
			assertThat(numbers.encode(value)).isEqualTo(serializer.serialize(value));
			assertThat(numbers.encodeInt((int) value)).isEqualTo(serializer.serialize((int) value));
		}
	}

	@ParameterizedTest
	@MethodSource("serializers")
	void numbersOfEitherType_areRead(RedisSerializer<Object> serializer) {
		NumberCodec numbers = new NumberCodec(new AttributeCodec(serializer));

		for (long value : VALUES) {
			assertThat(numbers.decode(serializer.serialize(value))).isEqualTo(value);
			assertThat(numbers.decode(serializer.serialize((int) value))).isEqualTo((int) value);
		}
	}

	@Test
	void whatIsNoNumber_isRefused() {
		NumberCodec numbers = new NumberCodec(new AttributeCodec(RedisSerializer.java()));
		byte[] text = RedisSerializer.java().serialize("text");
		byte[] cut = new byte[numbers.encode(1).length - 1];

		assertThatThrownBy(() -> numbers.decode(text)).isInstanceOf(ClassCastException.class);
		assertThatThrownBy(() -> numbers.decode(cut)).isInstanceOf(AttributeNotReadableException.class);
	}

	/**
	 * Writes into brackets what Java serialization writes, so that something stands
	 * behind the number too.
	 */
	private static final class Bracketed implements RedisSerializer<Object> {

		@Override
		public byte[] serialize(Object value) {
			byte[] inner = RedisSerializer.java().serialize(value);
			byte[] bytes = new byte[inner.length + 2];
			bytes[0] = '[';
			System.arraycopy(inner, 0, bytes, 1, inner.length);
			bytes[bytes.length - 1] = ']';
			return bytes;
		}

		@Override
		public Object deserialize(byte[] bytes) {
			byte[] inner = new byte[bytes.length - 2];
			System.arraycopy(bytes, 1, inner, 0, inner.length);
			return RedisSerializer.java().deserialize(inner);
		}

	}

	/**
	 * Writes small numbers in another way than large ones.
	 */
	private static final class Escaping implements RedisSerializer<Object> {

		@Override
		public byte[] serialize(Object value) {
			boolean plain = value instanceof Long number && number > 1_000;
			return plain ? RedisSerializer.java().serialize(value)
					: (value.getClass().getSimpleName() + value).getBytes(StandardCharsets.UTF_8);
		}

		@Override
		public Object deserialize(byte[] bytes) {
			String text = new String(bytes, StandardCharsets.UTF_8);
			if (text.startsWith("Long")) {
				return Long.valueOf(text.substring("Long".length()));
			}
			return text.startsWith("Integer") ? (Object) Integer.valueOf(text.substring("Integer".length()))
					: RedisSerializer.java().deserialize(bytes);
		}

	}

}

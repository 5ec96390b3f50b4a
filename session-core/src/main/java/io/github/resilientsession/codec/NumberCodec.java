package io.github.resilientsession.codec;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;
import java.util.function.Function;

import org.jspecify.annotations.Nullable;

/**
 * Writes and reads numbers as a serializer does, without calling it where it writes all
 * numbers of a type into the same frame, as Java serialization does: a request has
 * several, and each would take a stream of its own. What frame that is, is found out by
 * looking at what the serializer writes. Safe for use by many threads if the serializer
 * is.
 */
public final class NumberCodec {

	private static final String NAME = "version or time";

	private final AttributeCodec codec;

	private final @Nullable Frame longs;

	private final @Nullable Frame ints;

	/**
	 * Create a codec.
	 * @param codec writes what has no frame
	 */
	public NumberCodec(AttributeCodec codec) {
		this.codec = codec;
		this.longs = Frame.find(Long.BYTES, (value) -> codec.encode(NAME, value));
		this.ints = Frame.find(Integer.BYTES, (value) -> codec.encode(NAME, value.intValue()));
	}

	/**
	 * Write a number.
	 * @param value the number
	 * @return what the serializer writes for that {@link Long}
	 */
	public byte[] encode(long value) {
		return (this.longs != null) ? this.longs.put(value) : this.codec.encode(NAME, value);
	}

	/**
	 * Write a small number.
	 * @param value the number
	 * @return what the serializer writes for that {@link Integer}
	 */
	public byte[] encodeInt(int value) {
		return (this.ints != null) ? this.ints.put(value) : this.codec.encode(NAME, value);
	}

	/**
	 * Read a number.
	 * @param bytes what the serializer has written for a number of any type
	 * @return the number
	 * @throws AttributeNotReadableException if the serializer cannot read it
	 * @throws ClassCastException if it is no number
	 */
	public long decode(byte[] bytes) {
		if (this.longs != null && this.longs.fits(bytes)) {
			return this.longs.number(bytes);
		}
		if (this.ints != null && this.ints.fits(bytes)) {
			return this.ints.number(bytes);
		}
		return ((Number) this.codec.decode(NAME, bytes)).longValue();
	}

	/**
	 * What stands before and behind the big-endian bytes of a number.
	 */
	private static final class Frame {

		/**
		 * Values of which no two bytes at one place are all the same, and some that tell
		 * whether the sign or the size makes a difference.
		 */
		private static final List<Long> PROBES = List.of(0x0102030405060708L, 0x1112131415161718L, 0L, 1L, -1L,
				(long) Integer.MAX_VALUE, (long) Integer.MIN_VALUE, Long.MAX_VALUE, Long.MIN_VALUE, 1_700_000_000_000L,
				-1_700_000_000_000L);

		private final byte[] before;

		private final int size;

		private final byte[] behind;

		private Frame(byte[] before, int size, byte[] behind) {
			this.before = before;
			this.size = size;
			this.behind = behind;
		}

		/**
		 * Find the frame that all numbers are put in.
		 * @return {@code null} if there is none
		 */
		static @Nullable Frame find(int size, Function<Long, byte[]> serializer) {
			byte[] first = serializer.apply(PROBES.get(0));
			for (int start = 0; start + size <= first.length; start++) {
				Frame frame = new Frame(Arrays.copyOf(first, start), size,
						Arrays.copyOfRange(first, start + size, first.length));
				if (frame.isThatOf(serializer)) {
					return frame;
				}
			}
			return null;
		}

		private boolean isThatOf(Function<Long, byte[]> serializer) {
			return PROBES.stream().allMatch((value) -> Arrays.equals(put(value), serializer.apply(value)));
		}

		byte[] put(long value) {
			ByteBuffer bytes = ByteBuffer.allocate(this.before.length + this.size + this.behind.length);
			bytes.put(this.before);
			if (this.size == Long.BYTES) {
				bytes.putLong(value);
			}
			else {
				bytes.putInt((int) value);
			}
			return bytes.put(this.behind).array();
		}

		boolean fits(byte[] bytes) {
			int start = this.before.length;
			int end = start + this.size;
			return bytes.length == end + this.behind.length
					&& Arrays.equals(bytes, 0, start, this.before, 0, this.before.length)
					&& Arrays.equals(bytes, end, bytes.length, this.behind, 0, this.behind.length);
		}

		long number(byte[] bytes) {
			ByteBuffer buffer = ByteBuffer.wrap(bytes);
			return (this.size == Long.BYTES) ? buffer.getLong(this.before.length) : buffer.getInt(this.before.length);
		}

	}

}

package io.github.resilientsession.checker;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.stream.Stream;

/**
 * An attribute whose values count upwards in the order in which their writes begin. With
 * a single writer, whoever reads it can be judged by comparing two numbers.
 */
final class Register {

	/**
	 * More than a writer writes while any one read is under way, or while a fault lasts.
	 */
	private static final int REMEMBERED = 500;

	private final String name;

	private final Kind kind;

	private long attempted;

	private final Deque<Ack> acks = new ArrayDeque<>();

	private final Deque<Ack> forgotten = new ArrayDeque<>();

	Register(String name, Kind kind) {
		this.name = name;
		this.kind = kind;
	}

	String name() {
		return this.name;
	}

	/**
	 * The next value to write. From now on it may be read; whether it was written is in
	 * doubt until it is acknowledged.
	 */
	synchronized long attempt() {
		return ++this.attempted;
	}

	/**
	 * Whether a value is written by removing the attribute.
	 */
	boolean removes(long value) {
		return this.kind == Kind.REMOVED_EVERY_OTHER_TIME && value % 2 == 0;
	}

	/**
	 * The value that a reader has seen.
	 * @param stored what the attribute holds, or 0 without the attribute. Of the removals
	 * that may have been seen then, the last one is given.
	 */
	synchronized long seen(long stored) {
		return (stored == 0 && removes(0)) ? this.attempted - this.attempted % 2 : stored;
	}

	/**
	 * Whether an attribute may ever hold this; 0 stands for none.
	 */
	synchronized boolean wasAttempted(long stored) {
		return stored == 0 || (stored <= this.attempted && !removes(stored));
	}

	synchronized void acknowledged(Ack ack) {
		this.acks.addLast(ack);
		if (this.acks.size() > REMEMBERED) {
			this.acks.removeFirst();
		}
	}

	/**
	 * An acknowledgement that is not expected, since the session was ending, or its id
	 * being changed.
	 */
	synchronized void perhapsDropped(Ack ack) {
		remember(List.of(ack));
	}

	/**
	 * Acknowledgements that a read which began at a time should have seen, but did not.
	 * Of two writers, one overwrites the other for certain only if it began after the
	 * other was acknowledged; a value that was never acknowledged may come at any time.
	 */
	synchronized List<Ack> missing(long read, long readBegan) {
		long since = (this.kind == Kind.SHARED) ? acknowledgedAt(read) : Long.MIN_VALUE;
		List<Ack> missing = new ArrayList<>();
		for (Ack ack : this.acks) {
			if (ack.value() > read && ack.began() > since && ack.at() < readBegan) {
				missing.add(ack);
			}
		}
		return missing;
	}

	private long acknowledgedAt(long value) {
		if (value == 0) {
			return Long.MIN_VALUE;
		}
		return this.acks.stream()
			.filter((ack) -> ack.value() == value)
			.mapToLong(Ack::at)
			.findFirst()
			.orElse(Long.MAX_VALUE);
	}

	/**
	 * The acknowledgements that may have put a value in the place of a later one, those
	 * included that are not expected: they may have been kept all the same.
	 */
	synchronized List<Ack> overwriting(long read) {
		return Stream.concat(this.forgotten.stream(), this.acks.stream())
			.filter((ack) -> this.kind != Kind.SHARED || ack.value() == read)
			.toList();
	}

	/**
	 * Expect these no longer, since they have been judged.
	 */
	synchronized void forget(List<Ack> judged) {
		this.acks.removeAll(judged);
		remember(judged);
	}

	private void remember(List<Ack> unexpected) {
		this.forgotten.addAll(unexpected);
		while (this.forgotten.size() > REMEMBERED) {
			this.forgotten.removeFirst();
		}
	}

	/**
	 * How an attribute is used.
	 */
	enum Kind {

		SINGLE_WRITER,

		/**
		 * By its single writer: even values are none.
		 */
		REMOVED_EVERY_OTHER_TIME,

		/**
		 * By two clients: the last one wins.
		 */
		SHARED

	}

}

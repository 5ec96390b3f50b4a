package io.github.resilientsession.checker;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;

/**
 * An attribute with a single writer, who counts upwards: so whoever reads it can be
 * judged by comparing two numbers.
 */
final class Register {

	/**
	 * More than a writer writes while any one read is under way, or while a fault lasts.
	 */
	private static final int REMEMBERED = 500;

	private final String name;

	private long attempted;

	private final Deque<Ack> acks = new ArrayDeque<>();

	Register(String name) {
		this.name = name;
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

	synchronized void acknowledged(Ack ack) {
		this.acks.addLast(ack);
		if (this.acks.size() > REMEMBERED) {
			this.acks.removeFirst();
		}
	}

	/**
	 * Acknowledgements that a read which began at a time should have seen, but did not.
	 */
	synchronized List<Ack> missing(long read, long readBegan) {
		List<Ack> missing = new ArrayList<>();
		for (Ack ack : this.acks) {
			if (ack.value() > read && ack.at() < readBegan) {
				missing.add(ack);
			}
		}
		return missing;
	}

	/**
	 * All that is remembered.
	 */
	synchronized List<Ack> acks() {
		return List.copyOf(this.acks);
	}

	synchronized boolean wasAttempted(long value) {
		return value <= this.attempted;
	}

	/**
	 * Expect these no longer, since they have been judged.
	 */
	synchronized void forget(List<Ack> judged) {
		this.acks.removeAll(judged);
	}

}

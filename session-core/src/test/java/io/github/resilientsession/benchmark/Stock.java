package io.github.resilientsession.benchmark;

import java.util.List;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * The sessions that a peer has stored for a workload. Safe for use by many threads.
 */
final class Stock {

	private final List<String> ids;

	private final AtomicInteger taken = new AtomicInteger();

	Stock(List<String> ids) {
		this.ids = List.copyOf(ids);
	}

	/**
	 * Any session.
	 */
	String any() {
		return this.ids.get(ThreadLocalRandom.current().nextInt(this.ids.size()));
	}

	/**
	 * A session that nobody else is given.
	 */
	String take() {
		return this.ids.get(this.taken.getAndIncrement());
	}

	int size() {
		return this.ids.size();
	}

}

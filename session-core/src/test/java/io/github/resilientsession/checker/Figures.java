package io.github.resilientsession.checker;

import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.BiConsumer;

/**
 * What a run has counted and measured. Safe for use by many threads.
 */
final class Figures {

	private final Map<String, AtomicLong> numbers = new ConcurrentHashMap<>();

	private AtomicLong number(String name) {
		return this.numbers.computeIfAbsent(name, (key) -> new AtomicLong());
	}

	void count(String name) {
		number(name).incrementAndGet();
	}

	void highest(String name, long value) {
		number(name).accumulateAndGet(value, Math::max);
	}

	long of(String name) {
		return number(name).get();
	}

	void each(BiConsumer<String, Long> consumer) {
		new TreeMap<>(this.numbers).forEach((name, value) -> consumer.accept(name, value.get()));
	}

}

package io.github.resilientsession.doctor;

import java.time.Duration;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Optional;

/**
 * How the memory in use has grown in the last minutes, and when it will be all if it goes
 * on like that: the least-squares line through what was seen. Used by one thread.
 */
final class MemoryTrend {

	private static final Duration MIN_WINDOW = Duration.ofMinutes(10);

	/**
	 * Fewer say nothing.
	 */
	private static final int MIN_POINTS = 6;

	private static final int MAX_POINTS = 100;

	/**
	 * The part of the capacity that must have been added: less is noise.
	 */
	private static final double MIN_GROWTH = 0.01;

	private final Duration window;

	private final Deque<Point> points = new ArrayDeque<>();

	/**
	 * Create a trend without points.
	 * @param interval how long from one point to the next
	 */
	MemoryTrend(Duration interval) {
		Duration needed = interval.multipliedBy(MIN_POINTS);
		this.window = (needed.compareTo(MIN_WINDOW) > 0) ? needed : MIN_WINDOW;
	}

	/**
	 * Forget all, since Redis has been restarted.
	 */
	void clear() {
		this.points.clear();
	}

	void add(Instant at, double used) {
		this.points.addLast(new Point(at.toEpochMilli() / 1_000d, used));
		while (this.points.size() > MAX_POINTS
				|| this.points.getFirst().at() < this.points.getLast().at() - this.window.toSeconds()) {
			this.points.removeFirst();
		}
	}

	/**
	 * When Redis will be full.
	 * @param capacity the most that it may use, in bytes; 0 if that is not known
	 * @return how long until then; empty if it does not grow, or nobody can say
	 */
	Optional<Duration> untilFull(double capacity) {
		if (this.points.size() < MIN_POINTS || capacity <= 0) {
			return Optional.empty();
		}
		double growth = this.points.getLast().used() - this.points.getFirst().used();
		double perSecond = slope();
		if (growth < MIN_GROWTH * capacity || perSecond <= 0 || hasStopped(growth)) {
			return Optional.empty();
		}
		double left = Math.max(0, capacity - this.points.getLast().used());
		return Optional.of(Duration.ofSeconds((long) (left / perSecond)));
	}

	/**
	 * Whether hardly any of the growth is of the last third of the time: a step that is
	 * over goes on nowhere.
	 */
	private boolean hasStopped(double growth) {
		double first = this.points.getFirst().at();
		double from = first + (this.points.getLast().at() - first) * 2 / 3;
		double before = this.points.stream()
			.filter((point) -> point.at() <= from)
			.reduce((one, other) -> other)
			.map(Point::used)
			.orElse(0d);
		return this.points.getLast().used() - before < growth / 10;
	}

	private double slope() {
		double meanAt = this.points.stream().mapToDouble(Point::at).average().orElse(0);
		double meanUsed = this.points.stream().mapToDouble(Point::used).average().orElse(0);
		double both = 0;
		double square = 0;
		for (Point point : this.points) {
			both += (point.at() - meanAt) * (point.used() - meanUsed);
			square += (point.at() - meanAt) * (point.at() - meanAt);
		}
		return (square > 0) ? both / square : 0;
	}

	/**
	 * What was in use.
	 *
	 * @param at when, in seconds
	 * @param used how many bytes
	 */
	private record Point(double at, double used) {

	}

}

package io.github.resilientsession.drill;

import java.io.PrintStream;
import java.time.Duration;
import java.util.concurrent.TimeUnit;

/**
 * How large a drill is, and where it tells what it does.
 */
final class Stage {

	private static final Duration LEAST = Duration.ofSeconds(30);

	private final double scale;

	private final PrintStream out;

	private final long began = System.nanoTime();

	Stage(double scale, PrintStream out) {
		this.scale = scale;
		this.out = out;
	}

	/**
	 * A number of the outage, as it is here.
	 */
	int scaled(int original) {
		return Math.max(1, (int) Math.round(original * this.scale));
	}

	long scaledBytes(long original) {
		return Math.round(original * this.scale);
	}

	/**
	 * How long to wait for what takes longer the larger it is: at least thirty seconds.
	 */
	Duration scaled(Duration original) {
		Duration scaled = Duration.ofMillis(Math.round(original.toMillis() * this.scale));
		return (scaled.compareTo(LEAST) > 0) ? scaled : LEAST;
	}

	void say(String what, Object... values) {
		this.out.printf("%6.1f s  %s%n", (System.nanoTime() - this.began) / 1e9, what.formatted(values));
	}

	/**
	 * Let time pass while visitors come and go.
	 */
	void pass(Duration duration) throws InterruptedException {
		TimeUnit.MILLISECONDS.sleep(duration.toMillis());
	}

}

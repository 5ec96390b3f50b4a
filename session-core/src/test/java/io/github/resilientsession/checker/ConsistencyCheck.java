package io.github.resilientsession.checker;

import java.time.Duration;

/**
 * The long run, from the command line. With an even seed one node's clock is a minute
 * ahead, another's a minute behind, and sessions time out after 90 seconds.
 */
public final class ConsistencyCheck {

	private ConsistencyCheck() {
	}

	/**
	 * Run, and exit with 0 if there was no violation.
	 * @param args the duration in seconds and the seed
	 */
	public static void main(String[] args) {
		Duration duration = Duration.ofSeconds((args.length > 0) ? Long.parseLong(args[0]) : 120);
		long seed = (args.length > 1) ? Long.parseLong(args[1]) : System.nanoTime();
		Check check = check(seed, duration);
		check.run();
		int violations = check.report().size();
		System.out.flush();
		System.exit((violations == 0) ? 0 : 1);
	}

	static Check check(long seed, Duration duration) {
		CheckSettings usual = CheckSettings.usual(seed, duration);
		CheckSettings settings = (seed % 2 == 0) ? usual.skewed() : usual;
		Schedule schedule = new Schedule(seed, settings.clockOffsets().size());
		return new Check(settings, schedule::next, System.out);
	}

}

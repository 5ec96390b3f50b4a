package io.github.resilientsession.drill;

import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

import tools.jackson.databind.PropertyNamingStrategies;
import tools.jackson.databind.SerializationFeature;
import tools.jackson.databind.json.JsonMapper;

/**
 * Replays outages, prints how each side came through, and writes the same as JSON. <pre>
 * drill exam --scale 0.05
 * drill all
 * </pre>
 */
public final class Drills {

	private static final List<Drill> ALL = List.of(new ExamDrill(), new OomDrill(), new BalancerDrill(),
			new FailoverDrill(), new NightDrill());

	private static final JsonMapper JSON = JsonMapper.builder()
		.propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
		.enable(SerializationFeature.INDENT_OUTPUT)
		.build();

	private static final Map<String, Function<Result, Object>> COLUMNS = columns();

	private Drills() {
	}

	/**
	 * Replay.
	 * @param arguments the name of a drill or {@code all}, and {@code --scale} with a
	 * part of the original size
	 */
	public static void main(String[] arguments) throws Exception {
		List<String> words = new ArrayList<>(List.of(String.join(" ", arguments).trim().split("\\s+")));
		double scale = 1;
		int option = words.indexOf("--scale");
		if (option >= 0) {
			scale = scale((option + 1 < words.size()) ? words.get(option + 1) : "");
			words.subList(option, option + 2).clear();
		}
		String name = (words.size() == 1) ? words.get(0) : "";
		List<Drill> chosen = ALL.stream().filter((drill) -> name.equals("all") || drill.name().equals(name)).toList();
		if (chosen.isEmpty()) {
			throw refuse("There is no drill " + words);
		}
		boolean passed = true;
		for (Drill drill : chosen) {
			passed &= play(drill, scale, System.out);
		}
		System.exit(passed ? 0 : 1);
	}

	private static double scale(String text) {
		try {
			double scale = Double.parseDouble(text);
			if (scale > 0 && scale <= 10) {
				return scale;
			}
		}
		catch (NumberFormatException ex) {
			// Said below.
		}
		throw refuse("--scale is a number above 0, of which 1 is the size of the outage, not '" + text + "'");
	}

	private static IllegalArgumentException refuse(String problem) {
		System.err.println(problem + ". Usage: <" + String.join("|", ALL.stream().map(Drill::name).toList())
				+ "|all> [--scale 0.05]");
		System.exit(2);
		return new IllegalArgumentException(problem);
	}

	private static boolean play(Drill drill, double scale, PrintStream out) throws Exception {
		out.printf("%n%s: %s%n", drill.name(), drill.title());
		if (drill.needs().isPresent()) {
			out.println("skipped: " + drill.needs().get());
			return true;
		}
		List<Result> results = new ArrayList<>();
		for (Contender contender : drill.contenders()) {
			results.add(drill.play(contender, new Stage(scale, out)));
		}
		print(results, out);
		write(drill, results, out);
		if (results.stream().anyMatch((result) -> result.side().equals(Side.PLAIN) && result.passed())) {
			out.println("Nothing has happened to " + Side.PLAIN + ": this proves nothing.");
			return false;
		}
		return results.stream().filter((result) -> result.side().equals(Side.OURS)).allMatch(Result::passed);
	}

	private static void print(List<Result> results, PrintStream out) {
		out.println();
		COLUMNS.forEach((name, value) -> {
			out.printf("%-40s", name);
			results.forEach((result) -> out.printf("%16s", value.apply(result)));
			out.println();
		});
		List<String> details = results.stream()
			.flatMap((result) -> result.details().keySet().stream())
			.distinct()
			.toList();
		for (String detail : details) {
			out.printf("%-40s", detail.replace('_', ' '));
			results.forEach((result) -> out.printf("%16s", result.details().getOrDefault(detail, "")));
			out.println();
		}
		results.stream()
			.filter((result) -> !result.passed())
			.forEach((result) -> out.printf("%s has not passed: %s%n", result.side(),
					String.join("; ", result.failures())));
	}

	private static Map<String, Function<Result, Object>> columns() {
		Map<String, Function<Result, Object>> columns = new LinkedHashMap<>();
		columns.put("", Result::side);
		columns.put("sessions", Result::sessions);
		columns.put("logged out without having logged out", Result::falseLogouts);
		columns.put("carts that lost something", Result::lostWrites);
		columns.put("logged in again after a logout", Result::resurrected);
		columns.put("errors", Result::errors);
		columns.put("keys without TTL", Result::keysWithoutTtl);
		columns.put("database connections at once", Result::dbConnectionsPeak);
		columns.put("database transactions", Result::dbQueries);
		columns.put("p99 in ms", Result::p99Ms);
		columns.put("seconds until warm", (result) -> {
			Integer seconds = result.secondsToWarm();
			return (seconds != null) ? seconds : "not yet";
		});
		columns.put("passed", (result) -> result.passed() ? "yes" : "NO");
		return columns;
	}

	private static void write(Drill drill, List<Result> results, PrintStream out) throws IOException {
		Path file = Path.of("target", "drills", drill.name() + ".json");
		Files.createDirectories(file.getParent());
		Files.write(file, JSON.writeValueAsBytes(results));
		out.println("written: " + file.toAbsolutePath());
	}

}

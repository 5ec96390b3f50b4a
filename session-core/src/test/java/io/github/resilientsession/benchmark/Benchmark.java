package io.github.resilientsession.benchmark;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

import io.github.resilientsession.testsupport.PostgresServer;
import io.github.resilientsession.testsupport.RedisServer;
import org.openjdk.jmh.results.format.ResultFormatType;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.Options;
import org.openjdk.jmh.runner.options.OptionsBuilder;

/**
 * The benchmark, from the command line.
 */
public final class Benchmark {

	private static final Path DIRECTORY = Path.of("target", "bench");

	private Benchmark() {
	}

	/**
	 * Run.
	 * @param args {@code quick}, {@code smoke} to see only that it works, or {@code full}
	 * for all payloads, numbers of threads, incidents and sizes of the table, and the
	 * microbenchmarks; then, for one part of it, {@code throughput}, {@code recovery},
	 * {@code growth}, {@code watching} (what the doctor costs) or {@code micro}; after
	 * {@code recovery}, how many sessions Redis loses
	 */
	public static void main(String[] args) throws Exception {
		String[] words = String.join(" ", args).split(" ");
		Settings settings = settings(words[0]);
		String part = (words.length > 1) ? words[1] : "";
		if (words.length > 2) {
			settings = settings.losing(Integer.parseInt(words[2]));
		}
		try (RedisServer redis = RedisServer.start(); PostgresServer postgres = PostgresServer.start()) {
			if (part.isEmpty() || part.equals("throughput")) {
				Results results = new Results(System.out);
				Throughput throughput = new Throughput(redis, postgres, settings);
				for (Settings.Load load : settings.loads()) {
					throughput.compare(load, results);
				}
				results.write(DIRECTORY.resolve("results.json"));
			}
			if (part.isEmpty() || part.equals("recovery")) {
				Recoveries recoveries = new Recoveries(redis, postgres, settings, System.out);
				for (Incident incident : settings.incidents()) {
					recoveries.compare(incident);
				}
				recoveries.write(DIRECTORY.resolve("recovery.json"));
			}
			if (part.equals("growth") || (part.isEmpty() && settings.whole())) {
				Growth growth = new Growth(redis, postgres, System.out);
				growth.warmUp(settings.sizes().get(0));
				for (int size : settings.sizes()) {
					growth.measure(size);
				}
				growth.write(DIRECTORY.resolve("growth.json"));
			}
			if (part.equals("watching")) {
				new Watching(redis, postgres, System.out).measure();
			}
		}
		if (part.equals("micro") || (part.isEmpty() && settings.whole())) {
			micro();
		}
		System.exit(0);
	}

	private static void micro() throws RunnerException, IOException {
		Files.createDirectories(DIRECTORY);
		Options options = new OptionsBuilder().include("io\\.github\\.resilientsession\\..*Benchmark\\.")
			.result(DIRECTORY.resolve("micro.json").toString())
			.resultFormat(ResultFormatType.JSON)
			.build();
		new Runner(options).run();
	}

	private static Settings settings(String name) {
		return switch (name) {
			case "smoke" -> Settings.smoke();
			case "quick" -> Settings.quick();
			case "full" -> Settings.full();
			default ->
				throw new IllegalArgumentException("There are 'smoke', 'quick' and 'full', and no '" + name + "'");
		};
	}

}

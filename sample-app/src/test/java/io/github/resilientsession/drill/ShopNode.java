package io.github.resilientsession.drill;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;

import org.awaitility.Awaitility;

/**
 * The sample shop in a process of its own, on a port that it keeps.
 */
final class ShopNode implements AutoCloseable {

	private static final HttpClient CLIENT = HttpClient.newBuilder().connectTimeout(Duration.ofSeconds(2)).build();

	private static final Pattern MISSES = Pattern
		.compile("(?m)^resilient_session_misses_total\\{[^}]*cause=\"(?:lost|unavailable)\"[^}]*} (\\S+)");

	private final int port = freePort();

	private final String name;

	private final List<String> settings;

	private final Thread shutdownHook = new Thread(this::destroy);

	private volatile Process process;

	private volatile long misses;

	ShopNode(String name, List<String> settings) throws IOException {
		this.name = name;
		this.settings = settings;
		Runtime.getRuntime().addShutdownHook(this.shutdownHook);
		start();
	}

	static int freePort() {
		try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
			return socket.getLocalPort();
		}
		catch (IOException ex) {
			throw new IllegalStateException(ex);
		}
	}

	/**
	 * Start it, again too.
	 */
	void start() throws IOException {
		Path log = Path.of("target", "drills", this.name + ".log");
		Files.createDirectories(log.getParent());
		List<String> command = new ArrayList<>(
				List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-Xmx256m",
						// It starts often, and has little to do.
						"-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", System.getProperty("java.class.path"),
						"io.github.resilientsession.sample.ShopApplication", "--server.port=" + this.port));
		command.addAll(this.settings);
		this.process = new ProcessBuilder(command).redirectErrorStream(true)
			.redirectOutput(ProcessBuilder.Redirect.appendTo(log.toFile()))
			.start();
	}

	void awaitReady() {
		Awaitility.await().atMost(Duration.ofMinutes(2)).until(this::isReady);
	}

	/**
	 * Whether it says itself that it can be given requests.
	 */
	boolean isReady() {
		return ask("/actuator/health/readiness").isPresent();
	}

	/**
	 * How many reads Redis has not answered since it started, of sessions that there are,
	 * as it last could say.
	 */
	long misses() {
		ask("/actuator/prometheus").ifPresent((metrics) -> this.misses = MISSES.matcher(metrics)
			.results()
			.mapToLong((miss) -> (long) Double.parseDouble(miss.group(1)))
			.sum());
		return this.misses;
	}

	private Optional<String> ask(String path) {
		try {
			HttpResponse<String> response = CLIENT.send(HttpRequest.newBuilder(URI.create("http://" + address() + path))
				.timeout(Duration.ofSeconds(2))
				.build(), BodyHandlers.ofString());
			return (response.statusCode() == 200) ? Optional.of(response.body()) : Optional.empty();
		}
		catch (IOException ex) {
			return Optional.empty();
		}
		catch (InterruptedException ex) {
			Thread.currentThread().interrupt();
			return Optional.empty();
		}
	}

	String address() {
		return "127.0.0.1:" + this.port;
	}

	/**
	 * Kill it, as {@code kill -9} does.
	 */
	void kill() throws InterruptedException {
		destroy();
		this.process.waitFor(10, TimeUnit.SECONDS);
	}

	private void destroy() {
		this.process.destroyForcibly();
	}

	@Override
	public void close() throws InterruptedException {
		kill();
		Runtime.getRuntime().removeShutdownHook(this.shutdownHook);
	}

}

package io.github.resilientsession;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.TimeUnit;

import io.github.resilientsession.testsupport.Wire;

/**
 * A node in a process of its own, which makes one request when it is told to and can be
 * killed in the middle of it.
 */
final class NodeProcess implements AutoCloseable {

	private static final String READY = "ready";

	private final Process process;

	private NodeProcess(Process process) {
		this.process = process;
	}

	/**
	 * Start a node that has read a session and waits.
	 * @param redis its wire to Redis, on whose answers it waits for very long
	 * @param url its database
	 * @param id the session
	 * @param request what to do with it
	 * @return the process, ready
	 */
	static NodeProcess start(Wire redis, String url, String id, Request request) {
		try {
			Process process = new ProcessBuilder(Path.of(System.getProperty("java.home"), "bin", "java").toString(),
					"-Xmx256m", "-XX:TieredStopAtLevel=1", "-cp", System.getProperty("java.class.path"),
					NodeProcess.class.getName(), redis.host(), Integer.toString(redis.port()), url, id, request.name())
				.redirectError(ProcessBuilder.Redirect.INHERIT)
				.start();
			NodeProcess node = new NodeProcess(process);
			node.awaitReady();
			return node;
		}
		catch (IOException ex) {
			throw new UncheckedIOException(ex);
		}
	}

	private void awaitReady() throws IOException {
		BufferedReader out = new BufferedReader(
				new InputStreamReader(this.process.getInputStream(), StandardCharsets.UTF_8));
		for (String line = out.readLine(); !READY.equals(line); line = out.readLine()) {
			if (line == null) {
				throw new IllegalStateException("The node did not start");
			}
		}
	}

	/**
	 * Let it make its request; returns at once.
	 */
	void go() {
		try {
			this.process.getOutputStream().write('\n');
			this.process.getOutputStream().flush();
		}
		catch (IOException ex) {
			throw new UncheckedIOException(ex);
		}
	}

	boolean isWorking() {
		return this.process.isAlive();
	}

	/**
	 * Kill it, as {@code kill -9} does.
	 */
	void kill() {
		this.process.destroyForcibly();
		try {
			if (!this.process.waitFor(10, TimeUnit.SECONDS)) {
				throw new IllegalStateException("The node did not die");
			}
		}
		catch (InterruptedException ex) {
			Thread.currentThread().interrupt();
		}
	}

	@Override
	public void close() {
		kill();
	}

	public static void main(String[] args) throws IOException {
		SessionNode node = SessionNode.on(args[0], Integer.parseInt(args[1]), args[2])
			.redisTimeLimit(Duration.ofMinutes(2))
			.start();
		ResilientSession session = node.find(args[3]);
		System.out.println(READY);
		System.in.read();
		endWithTheTest();
		switch (Request.valueOf(args[4])) {
			case SET -> {
				session.setAttribute("killed", "1");
				node.repository.save(session);
			}
			case END -> node.repository.deleteById(args[3]);
		}
		System.exit(0);
	}

	private static void endWithTheTest() {
		Thread thread = new Thread(() -> {
			try {
				System.in.read();
			}
			catch (IOException ex) {
				// The test is gone.
			}
			Runtime.getRuntime().halt(1);
		});
		thread.setDaemon(true);
		thread.start();
	}

	/**
	 * What a node does.
	 */
	enum Request {

		/**
		 * Set the attribute {@code killed}.
		 */
		SET,

		/**
		 * End the session.
		 */
		END

	}

}

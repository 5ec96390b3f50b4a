package io.github.resilientsession.drill;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.Socket;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

import io.github.resilientsession.sample.Documents;
import org.awaitility.Awaitility;

/**
 * A real HAProxy in front of three nodes, with the configuration of {@code docs/deploy}.
 */
final class LoadBalancer implements AutoCloseable {

	private final int port = ShopNode.freePort();

	private final Path log;

	private final Process process;

	private final Thread shutdownHook;

	LoadBalancer(Path haproxy, List<ShopNode> nodes) throws IOException {
		this.log = Path.of("target", "drills", "haproxy.log");
		Files.createDirectories(this.log.getParent());
		ProcessBuilder builder = new ProcessBuilder(haproxy.toString(), "-db", "-f",
				Documents.file("deploy/haproxy.cfg").toString())
			.redirectErrorStream(true)
			.redirectOutput(ProcessBuilder.Redirect.to(this.log.toFile()));
		builder.environment()
			.putAll(Map.of("SHOP_BIND", "127.0.0.1:" + this.port, "SHOP_NODE_ONE", nodes.get(0).address(),
					"SHOP_NODE_TWO", nodes.get(1).address(), "SHOP_NODE_THREE", nodes.get(2).address()));
		this.process = builder.start();
		this.shutdownHook = new Thread(this.process::destroyForcibly);
		Runtime.getRuntime().addShutdownHook(this.shutdownHook);
		Awaitility.await("HAProxy, see " + this.log).until(this::answers);
	}

	private boolean answers() {
		if (!this.process.isAlive()) {
			throw new IllegalStateException("HAProxy has ended: see " + this.log.toAbsolutePath());
		}
		try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), this.port)) {
			return socket.isConnected();
		}
		catch (IOException ex) {
			return false;
		}
	}

	/**
	 * How often it has taken a node out that was dead, as it says itself.
	 */
	int takenOutDead() {
		return said(" is DOWN", "Connection refused");
	}

	/**
	 * How often it has taken a node out that said it was not ready.
	 */
	int takenOutUnready() {
		return said(" is DOWN", "wrong status");
	}

	/**
	 * How often a node has come back.
	 */
	int broughtBack() {
		return said("Server nodes/", " is UP");
	}

	private int said(String what, String why) {
		try (Stream<String> lines = Files.lines(this.log)) {
			return (int) lines.filter((line) -> line.contains(what) && line.contains(why)).count();
		}
		catch (IOException ex) {
			throw new UncheckedIOException(ex);
		}
	}

	URI uri() {
		return URI.create("http://127.0.0.1:" + this.port);
	}

	@Override
	public void close() throws InterruptedException {
		this.process.destroyForcibly().waitFor(10, TimeUnit.SECONDS);
		Runtime.getRuntime().removeShutdownHook(this.shutdownHook);
	}

}

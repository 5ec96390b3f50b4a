package io.github.resilientsession.drill;

import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

import io.github.resilientsession.sample.Documents;

/**
 * A real HAProxy in front of three nodes, with the configuration of {@code docs/deploy}.
 */
final class LoadBalancer implements AutoCloseable {

	private final int port = ShopNode.freePort();

	private final Process process;

	private final Thread shutdownHook;

	LoadBalancer(Path haproxy, List<ShopNode> nodes) throws IOException {
		Path log = Path.of("target", "drills", "haproxy.log");
		Files.createDirectories(log.getParent());
		ProcessBuilder builder = new ProcessBuilder(haproxy.toString(), "-db", "-f",
				Documents.file("deploy/haproxy.cfg").toString())
			.redirectErrorStream(true)
			.redirectOutput(ProcessBuilder.Redirect.appendTo(log.toFile()));
		builder.environment()
			.putAll(Map.of("SHOP_BIND", "127.0.0.1:" + this.port, "SHOP_NODE_ONE", nodes.get(0).address(),
					"SHOP_NODE_TWO", nodes.get(1).address(), "SHOP_NODE_THREE", nodes.get(2).address()));
		this.process = builder.start();
		this.shutdownHook = new Thread(this.process::destroyForcibly);
		Runtime.getRuntime().addShutdownHook(this.shutdownHook);
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

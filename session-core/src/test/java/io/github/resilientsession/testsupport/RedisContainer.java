package io.github.resilientsession.testsupport;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

import com.github.dockerjava.api.DockerClient;
import com.github.dockerjava.api.model.HostConfig;
import com.github.dockerjava.api.model.PortBinding;
import org.testcontainers.containers.GenericContainer;
import org.testcontainers.utility.DockerImageName;
import org.testcontainers.utility.MountableFile;

/**
 * A Redis in a container, whose port on the host stays the same over restarts.
 */
final class RedisContainer extends RedisServer {

	private static final int REDIS_PORT = 6379;

	private final int port = ServerProcess.freePort();

	private final Map<String, String> configuration;

	private GenericContainer<?> container;

	RedisContainer(Map<String, String> configuration) {
		this.configuration = configuration;
		launch(null);
	}

	private void launch(Path snapshot) {
		launched(this.configuration);
		List<String> command = new ArrayList<>(List.of("redis-server", "--dir", "/data"));
		this.configuration.forEach((name, value) -> command.addAll(List.of("--" + name, value)));
		this.container = new GenericContainer<>(DockerImageName.parse("redis:7.2-alpine")).withExposedPorts(REDIS_PORT)
			.withCreateContainerCmdModifier((create) -> create.withHostConfig(HostConfig.newHostConfig()
				.withPortBindings(PortBinding.parse("127.0.0.1:" + this.port + ":" + REDIS_PORT))))
			.withCommand(command.toArray(String[]::new));
		if (snapshot != null) {
			this.container.withCopyFileToContainer(MountableFile.forHostPath(snapshot, 0644), "/data/dump.rdb");
		}
		this.container.start();
	}

	private DockerClient docker() {
		return this.container.getDockerClient();
	}

	@Override
	public String host() {
		return this.container.getHost();
	}

	@Override
	public int port() {
		return this.port;
	}

	@Override
	public void kill() {
		if (isRunning()) {
			docker().killContainerCmd(this.container.getContainerId()).exec();
		}
	}

	@Override
	public void pause() {
		docker().pauseContainerCmd(this.container.getContainerId()).exec();
	}

	@Override
	public void resume() {
		docker().unpauseContainerCmd(this.container.getContainerId()).exec();
	}

	@Override
	public boolean isRunning() {
		return this.container.isRunning();
	}

	@Override
	public void restartEmpty() {
		this.container.stop();
		launch(null);
	}

	@Override
	public void restartFrom(Path snapshot) {
		this.container.stop();
		launch(snapshot);
	}

	@Override
	public Path snapshot() {
		call((redis) -> redis.save());
		try {
			Path copy = Files.createTempFile("resilient-session-redis", ".rdb");
			copy.toFile().deleteOnExit();
			this.container.copyFileFromContainer("/data/dump.rdb", copy.toString());
			return copy;
		}
		catch (IOException ex) {
			throw new UncheckedIOException(ex);
		}
	}

	@Override
	public void close() {
		this.container.stop();
	}

}

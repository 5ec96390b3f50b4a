package io.github.resilientsession.testsupport;

import java.time.Duration;
import java.util.Map;

import com.github.dockerjava.api.model.HostConfig;
import com.github.dockerjava.api.model.PortBinding;
import org.testcontainers.containers.GenericContainer;
import org.testcontainers.containers.wait.strategy.Wait;
import org.testcontainers.utility.DockerImageName;

/**
 * A PostgreSQL in a container, whose port on the host stays the same over restarts.
 */
final class PostgresContainer extends PostgresServer {

	private static final int POSTGRES_PORT = 5432;

	private final int port = ServerProcess.freePort();

	private final GenericContainer<?> container = new GenericContainer<>(DockerImageName.parse("postgres:17-alpine"))
		.withEnv("POSTGRES_PASSWORD", "postgres")
		.withExposedPorts(POSTGRES_PORT)
		.withCreateContainerCmdModifier((create) -> create.withHostConfig(HostConfig.newHostConfig()
			.withPortBindings(PortBinding.parse("127.0.0.1:" + this.port + ":" + POSTGRES_PORT))))
		.withCommand("postgres", "-c", "fsync=on", "-c", "synchronous_commit=on", "-c", "max_connections=300")
		.waitingFor(Wait.forLogMessage(".*ready to accept connections.*", 2));

	PostgresContainer() {
		this.container.start();
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
		this.container.getDockerClient().killContainerCmd(this.container.getContainerId()).exec();
	}

	@Override
	public void pause() {
		this.container.getDockerClient().pauseContainerCmd(this.container.getContainerId()).exec();
	}

	@Override
	public void resume() {
		this.container.getDockerClient().unpauseContainerCmd(this.container.getContainerId()).exec();
	}

	@Override
	public boolean isRunning() {
		return this.container.isRunning();
	}

	@Override
	public Map<Long, Duration> processorTimes() {
		return Map.of();
	}

	@Override
	public void restart() {
		this.container.getDockerClient().startContainerCmd(this.container.getContainerId()).exec();
	}

	@Override
	String log() {
		return this.container.getLogs();
	}

	@Override
	public void close() {
		this.container.stop();
	}

}

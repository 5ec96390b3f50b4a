package io.github.resilientsession.autoconfigure;

import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.Stream;

import io.github.resilientsession.ResilientSessionRepository;
import io.github.resilientsession.testsupport.RealServers;
import io.github.resilientsession.testsupport.RedisServer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.boot.data.jpa.autoconfigure.DataJpaRepositoriesAutoConfiguration;
import org.springframework.boot.hibernate.autoconfigure.HibernateJpaAutoConfiguration;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.context.annotation.Configuration;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Tests an application on whose class path there is no health, no actuator and no meters,
 * which are optional. It is a process of its own: a filter in front of all classes would
 * still find the auto-configurations of what it hides.
 */
@RealServers
class WithoutActuatorTests {

	private static final List<String> OPTIONAL = List.of("spring-boot-health", "spring-boot-actuator",
			"spring-boot-micrometer-metrics", "micrometer-core", "resilience4j-micrometer");

	private final RedisServer redis;

	WithoutActuatorTests(RedisServer redis) {
		this.redis = redis;
	}

	@Test
	void application_startsAndSavesSessions(@TempDir Path directory) throws Exception {
		String rest = Stream.of(System.getProperty("java.class.path").split(File.pathSeparator))
			.filter((entry) -> OPTIONAL.stream().noneMatch(Path.of(entry).getFileName().toString()::startsWith))
			.collect(Collectors.joining(File.pathSeparator));
		Path output = directory.resolve("output.txt");
		Process process = new ProcessBuilder(Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-cp",
				rest, Application.class.getName(), "--spring.data.redis.url=" + this.redis.uri(),
				"--spring.datasource.url=" + StarterRunner.memoryDatabase(), "--server.port=0")
			.redirectErrorStream(true)
			.redirectOutput(output.toFile())
			.start();
		try {
			assertThat(process.waitFor(2, TimeUnit.MINUTES)).isTrue();
		}
		finally {
			process.destroyForcibly();
		}
		assertThat(process.exitValue()).as(Files.readString(output)).isZero();
		assertThat(Files.readString(output)).contains("beans for what is not there: []");
		assertThat(this.redis.keys("spring:session:sessions:*")).hasSize(1);
	}

	@Configuration(proxyBeanMethods = false)
	@EnableAutoConfiguration(
			exclude = { HibernateJpaAutoConfiguration.class, DataJpaRepositoriesAutoConfiguration.class })
	static class Application {

		/**
		 * Start, save a session, and end.
		 */
		public static void main(String[] arguments) {
			try (ConfigurableApplicationContext context = SpringApplication.run(Application.class, arguments)) {
				StarterRunner.saveSession(context.getBean(ResilientSessionRepository.class));
				System.out.println("beans for what is not there: " + Stream.of(context.getBeanDefinitionNames())
					.filter((name) -> name.matches("resilientSession(Health.*|Endpoint|M.*|StoreH.*)"))
					.toList());
			}
		}

	}

}

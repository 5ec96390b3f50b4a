package io.github.resilientsession.autoconfigure;

import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.BooleanSupplier;

import io.github.resilientsession.testsupport.PostgresServer;
import io.github.resilientsession.testsupport.RealServers;
import io.github.resilientsession.testsupport.RedisServer;
import io.micrometer.core.instrument.MeterRegistry;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

import org.springframework.boot.health.contributor.Health;
import org.springframework.boot.health.contributor.HealthContributors;
import org.springframework.boot.health.contributor.HealthIndicator;
import org.springframework.boot.health.contributor.Status;
import org.springframework.boot.test.system.CapturedOutput;
import org.springframework.boot.test.system.OutputCaptureExtension;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

/**
 * Shows that a fault is in the health, in a metric and in the log, and prints after what
 * time, with default settings and no request meanwhile: the slowest way to notice. What
 * it prints is the table in docs/operations.md.
 */
@RealServers
@ExtendWith(OutputCaptureExtension.class)
class NoticeTests {

	private static final Duration LONG = Duration.ofSeconds(60);

	private final RedisServer redis;

	private final PostgresServer postgres;

	NoticeTests(RedisServer redis, PostgresServer postgres) {
		this.redis = redis;
		this.postgres = postgres;
	}

	@Test
	void evictionThatBegins_isNoticed(CapturedOutput output) throws Exception {
		try (RedisServer full = RedisServer.start(Map.of("maxmemory", "32mb", "maxmemory-policy", "volatile-lru"));
				WebApplication application = start(full)) {
			MeterRegistry meters = meters(application);
			long fault = System.nanoTime();
			full.call((commands) -> {
				for (int i = 0; i < 50_000; i++) {
					commands.setex("cache:" + i, 1_000, "x".repeat(1_000));
				}
				return true;
			});
			print("eviction begins", fault, application, "redis",
					() -> meters.get("resilient.session.redis.evicted.keys").functionCounter().count() > 0, output,
					"Redis doctor [evictions]");
		}
	}

	@Test
	void redisThatHangs_isNoticed(CapturedOutput output) throws Exception {
		try (WebApplication application = start(this.redis)) {
			MeterRegistry meters = meters(application);
			long fault = System.nanoTime();
			this.redis.pause();
			print("Redis hangs", fault, application, "redis",
					() -> meters.get("resilient.session.tier.available").tag("tier", "redis").gauge().value() == 0,
					output, "The redis tier does not answer");
		}
	}

	@Test
	void databaseThatIsDown_isNoticed(CapturedOutput output) throws Exception {
		try (WebApplication application = start(this.redis)) {
			MeterRegistry meters = meters(application);
			long fault = System.nanoTime();
			this.postgres.kill();
			print("database down", fault, application, "durable",
					() -> meters.get("resilient.session.tier.available").tag("tier", "durable").gauge().value() == 0,
					output, "The durable tier does not answer");
		}
	}

	/**
	 * Start an application, and wait until nothing is wrong.
	 */
	private WebApplication start(RedisServer server) {
		WebApplication application = WebApplication.start(server, null,
				"--spring.datasource.url=" + this.postgres.createDatabase(),
				"--spring.datasource.username=" + this.postgres.username(),
				"--spring.datasource.password=" + this.postgres.password(),
				"--resilient-session.durable.initialize-schema=always");
		await().until(() -> health(application, "redis").equals(Status.UP)
				&& health(application, "durable").equals(Status.UP));
		return application;
	}

	private static MeterRegistry meters(WebApplication application) {
		return application.bean("simpleMeterRegistry", MeterRegistry.class);
	}

	private static void print(String fault, long since, WebApplication application, String tier, BooleanSupplier metric,
			CapturedOutput output, String line) {
		Map<String, BooleanSupplier> signs = new LinkedHashMap<>();
		signs.put("health", () -> !health(application, tier).equals(Status.UP));
		signs.put("metric", metric);
		signs.put("log", () -> output.getAll().contains(line));
		Map<String, Long> seen = new LinkedHashMap<>();
		await().atMost(LONG).pollInterval(Duration.ofMillis(5)).until(() -> {
			signs.forEach((sign, there) -> {
				if (!seen.containsKey(sign) && there.getAsBoolean()) {
					seen.put(sign, Duration.ofNanos(System.nanoTime() - since).toMillis());
				}
			});
			return seen.size() == signs.size();
		});
		System.out.println("noticed, in milliseconds: " + fault + " " + seen);
		assertThat(health(application, tier).getCode()).isEqualTo("DEGRADED");
	}

	private static Status health(WebApplication application, String tier) {
		HealthIndicator indicator = (HealthIndicator) application
			.bean("resilientSessionHealthContributor", HealthContributors.class)
			.getContributor(tier);
		assertThat(indicator).isNotNull();
		Health health = indicator.health();
		assertThat(health).isNotNull();
		return health.getStatus();
	}

}

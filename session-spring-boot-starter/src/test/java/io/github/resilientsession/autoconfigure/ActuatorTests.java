package io.github.resilientsession.autoconfigure;

import java.net.http.HttpResponse;
import java.util.ArrayList;
import java.util.List;

import io.github.resilientsession.record.SessionStoreListener;
import io.github.resilientsession.testsupport.PostgresServer;
import io.github.resilientsession.testsupport.RealServers;
import io.github.resilientsession.testsupport.RedisServer;
import io.lettuce.core.AclSetuserArgs;
import io.lettuce.core.protocol.CommandType;
import io.micrometer.core.instrument.MeterRegistry;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

import org.springframework.boot.test.system.CapturedOutput;
import org.springframework.boot.test.system.OutputCaptureExtension;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

/**
 * Tests for what operators see, by HTTP, of an application with Spring Boot's actuator.
 */
@RealServers
@ExtendWith(OutputCaptureExtension.class)
class ActuatorTests {

	private static final String HEALTH = "/actuator/health";

	private final List<AutoCloseable> open = new ArrayList<>();

	private final RedisServer redis;

	private final PostgresServer postgres;

	ActuatorTests(RedisServer redis, PostgresServer postgres) {
		this.redis = redis;
		this.postgres = postgres;
	}

	@AfterEach
	void close() throws Exception {
		for (AutoCloseable each : this.open) {
			each.close();
		}
	}

	@Test
	void health_showsAComponentPerTier() throws Exception {
		this.redis.configSet("maxmemory", "512mb");
		WebApplication application = start();
		await().until(() -> status(application, ""), "UP"::equals);
		JsonNode health = json(application.get(HEALTH, ""));
		JsonNode tiers = health.at("/components/resilientSession/components");
		assertThat(tiers.at("/redis/details").propertyNames()).contains("state", "breaker", "since", "pending",
				"resync");
		assertThat(tiers.at("/durable/details").propertyNames()).contains("state", "breaker", "since", "unpersisted");
		assertThat(tiers.at("/redis/details/state").asString()).isEqualTo("up");
		assertThat(tiers.at("/durable/details/breaker").asString()).isEqualTo("closed");
	}

	@ParameterizedTest
	@ValueSource(booleans = { false, true })
	void health_whileRedisIsKilledOrHangs_isDegraded_andNoReasonToTakeTheNodeOut(boolean hangs) throws Exception {
		WebApplication application = start("--management.endpoint.health.probes.enabled=true");
		if (hangs) {
			this.redis.pause();
		}
		else {
			this.redis.kill();
		}
		HttpResponse<String> response = application.get(HEALTH, "");
		assertThat(response.statusCode()).isEqualTo(200);
		assertThat(json(response).at("/components/redis/status").asString()).isEqualTo("DEGRADED");
		await().until(() -> json(application.get(HEALTH, ""))
			.at("/components/resilientSession/components/redis/details/state")
			.asString(), "cut off"::equals);
		response = application.get(HEALTH, "");
		assertThat(response.statusCode()).isEqualTo(200);
		JsonNode health = json(response);
		assertThat(health.path("status").asString()).isEqualTo("DEGRADED");
		assertThat(health.at("/components/redis/status").asString()).isEqualTo("DEGRADED");
		assertThat(health.at("/components/resilientSession/components/redis/status").asString()).isEqualTo("DEGRADED");
		for (String probe : List.of("/liveness", "/readiness")) {
			assertThat(application.get(HEALTH + probe, "").body()).contains("\"UP\"")
				.doesNotContain("resilientSession");
		}
		if (hangs) {
			this.redis.resume();
		}
		else {
			this.redis.restartEmpty();
		}
		await().until(() -> status(application, "/components/resilientSession/components/redis"), "UP"::equals);
	}

	@Test
	void health_whileTheDatabaseIsDown_isDegraded() throws Exception {
		try (PostgresServer own = PostgresServer.start()) {
			WebApplication application = start("--spring.datasource.url=" + own.createDatabase(),
					"--spring.datasource.username=" + own.username(), "--spring.datasource.password=" + own.password(),
					"--resilient-session.durable.initialize-schema=always");
			await().until(() -> status(application, "/components/resilientSession"), "UP"::equals);
			own.kill();
			await().until(() -> status(application, "/components/resilientSession/components/durable"),
					"DEGRADED"::equals);
			HttpResponse<String> response = application.get(HEALTH, "");
			assertThat(response.statusCode()).isEqualTo(200);
			assertThat(json(response).at("/components/db/status").asString()).isEqualTo("DEGRADED");
			application.login();
			assertThat(json(application.get(HEALTH, ""))
				.at("/components/resilientSession/components/durable/details/unpersisted")
				.asInt()).isEqualTo(1);
		}
	}

	@Test
	void health_whereInfoIsForbidden_isUp_andSaysWhatCannotBeSeen(CapturedOutput output) throws Exception {
		this.redis
			.call((commands) -> commands.aclSetuser("default", AclSetuserArgs.Builder.removeCommand(CommandType.INFO)));
		try {
			WebApplication application = start("--resilient-session.doctor.interval=200ms");
			await().until(() -> status(application, "/components/resilientSession"), "UP"::equals);
			assertThat(status(application, "/components/redis")).isEqualTo("UP");
			assertThat(output).doesNotContain("Redis health check failed");
			MeterRegistry meters = application.bean("simpleMeterRegistry", MeterRegistry.class);
			await().until(() -> severity(meters, "visibility") == 1);
			assertThat(severity(meters, "eviction-policy")).isNaN();
			assertThat(severity(meters, "shared-instance")).isNotNaN();
		}
		finally {
			this.redis.call((commands) -> commands.aclSetuser("default", AclSetuserArgs.Builder.allCommands()));
		}
	}

	@Test
	void writesThatRedisRefuses_areInTheLog(CapturedOutput output) throws Exception {
		WebApplication application = start("--resilient-session.doctor.interval=200ms");
		await().until(() -> status(application, "/components/resilientSession"), "UP"::equals);
		this.redis.configSet("maxmemory", "1");
		application.login();
		await().until(() -> output.getAll().contains("Redis has not taken 1 committed session writes"));
		assertThat(status(application, "/components/resilientSession/components/redis")).isEqualTo("DEGRADED");
		this.redis.configSet("maxmemory", "0");
		await().until(() -> output.getAll().contains("Redis has taken all session writes that it had missed"));
	}

	@Test
	void dataThatRedisLoses_isInTheLog(CapturedOutput output) throws Exception {
		WebApplication application = start();
		await().until(() -> status(application, "/components/resilientSession"), "UP"::equals);
		application.login();
		this.redis.flushAll();
		await().until(() -> output.getAll().contains("Redis has lost its data, or a part of it"));
	}

	@Test
	void health_ofAGroupThatNamesRedis_isNoReasonEither() throws Exception {
		WebApplication application = start("--management.endpoint.health.group.ready.include=redis,db");
		this.redis.kill();
		await().until(() -> status(application, "/components/redis"), "DEGRADED"::equals);
		assertThat(application.get(HEALTH + "/ready", "").statusCode()).isEqualTo(200);
	}

	@Test
	void health_ofSpringBootsIndicators_isLeftAsItIs_ifAskedTo() throws Exception {
		WebApplication application = start("--resilient-session.health.degrade-stores=false");
		this.redis.kill();
		await().until(() -> status(application, "/components/redis"), "DOWN"::equals);
		assertThat(application.get(HEALTH, "").statusCode()).isEqualTo(503);
	}

	@Test
	void health_withAnOrderThatDoesNotKnowDegraded_isReported(CapturedOutput output) throws Exception {
		start("--management.endpoint.health.status.order=DOWN,UP");
		assertThat(output).contains("management.endpoint.health.status.order does not name DEGRADED");
	}

	@Test
	void health_isDegraded_whileTheDoctorFindsSomethingCritical() throws Exception {
		WebApplication application = start("--resilient-session.doctor.interval=200ms");
		this.redis.configSet("maxmemory-policy", "allkeys-lru");
		await().until(() -> status(application, "/components/resilientSession/components/redis"), "DEGRADED"::equals);
		assertThat(application.get(HEALTH, "").body()).contains("CRITICAL eviction-policy", "allkeys-lru");
		this.redis.configSet("maxmemory-policy", "noeviction");
		await().until(() -> status(application, "/components/resilientSession/components/redis"), "UP"::equals);
	}

	@Test
	void endpoint_showsTiersCountsAndFindings_butNoSession() throws Exception {
		WebApplication application = start();
		String cookie = application.login();
		String id = this.redis.keys("spring:session:sessions:*").get(0).replaceFirst(".*:", "");
		HttpResponse<String> response = application.get("/actuator/resilientsession", cookie);
		assertThat(response.statusCode()).isEqualTo(200);
		assertThat(response.body()).doesNotContain(id).doesNotContain("alice");
		JsonNode shown = json(response);
		assertThat(shown.propertyNames()).contains("redis", "durable", "counts", "resync", "ttlAudit", "doctor");
		assertThat(shown.at("/doctor/findings").values()).anySatisfy((finding) -> {
			assertThat(finding.path("check").asString()).isEqualTo("memory-limit");
			assertThat(finding.path("fix").asString()).contains("CONFIG SET maxmemory");
		});
	}

	@Test
	void endpoint_startsAnAudit() throws Exception {
		WebApplication application = start();
		this.redis.call((commands) -> commands.set("spring:session:sessions:immortal", "x"));
		assertThat(application.post("/actuator/resilientsession/audit", "{\"dryRun\":true}").statusCode())
			.isEqualTo(200);
		await().until(() -> json(application.get("/actuator/resilientsession", "")).at("/ttlAudit/found").asInt() == 1);
		assertThat(this.redis.pttl("spring:session:sessions:immortal")).isEqualTo(-1);
		assertThat(application.post("/actuator/resilientsession/audit", "{}").statusCode()).isEqualTo(200);
		await().until(() -> this.redis.pttl("spring:session:sessions:immortal") > 0);
	}

	@Test
	void endpoint_startsAResync() throws Exception {
		WebApplication application = start();
		application.login();
		String key = this.redis.keys("spring:session:sessions:*").get(0);
		this.redis.call((commands) -> commands.del(key));
		assertThat(application.post("/actuator/resilientsession/resync", "").statusCode()).isEqualTo(200);
		await().until(() -> this.redis.pttl(key) > 0);
	}

	@Test
	void endpoint_refusesWhatItDoesNotKnow() throws Exception {
		WebApplication application = start();
		assertThat(application.post("/actuator/resilientsession/flush", "{}").statusCode()).isEqualTo(400);
	}

	@Test
	void meters_tellHitsMissesByCauseAndWhatWasAvoided() throws Exception {
		WebApplication application = start();
		MeterRegistry meters = application.bean("simpleMeterRegistry", MeterRegistry.class);
		await().until(() -> meters.get("resilient.session.tier.available").tag("tier", "redis").gauge().value() == 1);
		String cookie = application.login();
		application.get("/name", cookie);
		assertThat(meters.get("resilient.session.hits").counter().count()).isPositive();
		this.redis.flushAll();
		application.get("/name", cookie);
		assertThat(meters.get("resilient.session.misses").tag("cause", "lost").counter().count()).isEqualTo(1);
		assertThat(meters.get("resilient.session.false.logouts.avoided").counter().count()).isEqualTo(1);
		assertThat(meters.get("resilient.session.loads.batch").summary().totalAmount()).isEqualTo(1);
		application.get("/name", "SESSION=dW5rbm93bg==");
		// Spring Session looks for it again before it answers with a new cookie.
		assertThat(meters.get("resilient.session.misses").tag("cause", "unknown").counter().count()).isBetween(1.0,
				2.0);
		application.get("/logout", cookie);
		assertThat(meters.get("resilient.session.tombstones").counter().count()).isPositive();
		for (String call : List.of("redis find", "durable load", "durable commit", "redis write", "durable end")) {
			String[] parts = call.split(" ");
			assertThat(meters.get("resilient.session.store")
				.tag("tier", parts[0])
				.tag("operation", parts[1])
				.timer()
				.count()).as(call).isPositive();
		}
		this.redis.kill();
		await().until(() -> meters.get("resilient.session.tier.available").tag("tier", "redis").gauge().value() == 0);
		assertThat(meters.get("resilience4j.circuitbreaker.state")
			.tag("name", "resilient-session-redis")
			.tag("state", "open")
			.gauge()
			.value()).isEqualTo(1);
		assertThat(meters.get("resilience4j.bulkhead.max.allowed.concurrent.calls")
			.tag("name", "resilient-session-loads")
			.gauge()
			.value()).isEqualTo(4);
	}

	@Test
	void meters_areCountedBesideTheApplicationsOwnListener() throws Exception {
		WebApplication application = start(OwnListener.class);
		application.get("/name", application.login());
		assertThat(application.bean("ownListener", CountingListener.class).hits).isPositive();
		assertThat(application.bean("simpleMeterRegistry", MeterRegistry.class)
			.get("resilient.session.hits")
			.counter()
			.count()).isPositive();
	}

	private static double severity(MeterRegistry meters, String check) {
		return meters.get("resilient.session.doctor.severity").tag("check", check).gauge().value();
	}

	private WebApplication start(String... arguments) {
		return start((Class<?>) null, arguments);
	}

	private WebApplication start(Class<?> more, String... arguments) {
		List<String> all = new ArrayList<>(List.of("--management.endpoints.web.exposure.include=*",
				"--management.endpoint.health.show-details=always",
				"--management.endpoint.resilientsession.access=unrestricted"));
		all.addAll(List.of(arguments));
		WebApplication application = WebApplication.start(this.redis, more, all.toArray(String[]::new));
		this.open.add(application);
		return application;
	}

	private static String status(WebApplication application, String component) throws Exception {
		return json(application.get(HEALTH, "")).at(component + "/status").asString("");
	}

	private static JsonNode json(HttpResponse<String> response) {
		return JsonMapper.shared().readTree(response.body());
	}

	@Configuration(proxyBeanMethods = false)
	static class OwnListener {

		@Bean
		CountingListener ownListener() {
			return new CountingListener();
		}

	}

	static class CountingListener implements SessionStoreListener {

		private volatile int hits;

		@Override
		public void onRedisHit() {
			this.hits++;
		}

	}

}

package io.github.resilientsession.autoconfigure;

import java.time.Instant;

import io.github.resilientsession.ResilientSessions;
import io.github.resilientsession.doctor.Check;
import io.github.resilientsession.doctor.CriticalFindingsException;
import io.github.resilientsession.doctor.Severity;
import io.github.resilientsession.testsupport.RealServers;
import io.github.resilientsession.testsupport.RedisServer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

import org.springframework.boot.diagnostics.FailureAnalysis;
import org.springframework.boot.test.system.CapturedOutput;
import org.springframework.boot.test.system.OutputCaptureExtension;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

/**
 * Tests for what the doctor does to an application that starts.
 */
@RealServers
@ExtendWith(OutputCaptureExtension.class)
class DoctorStartTests {

	private final RedisServer redis;

	DoctorStartTests(RedisServer redis) {
		this.redis = redis;
	}

	@Test
	void criticalFinding_isLogged_onceAndWithWhatToDo(CapturedOutput output) {
		this.redis.configSet("maxmemory-policy", "allkeys-lru");
		StarterRunner.withRedis(this.redis)
			.withPropertyValues("resilient-session.doctor.interval=50ms")
			.run((context) -> {
				assertThat(context).hasNotFailed();
				assertThat(context.getBean(ResilientSessions.class).doctorReport().severity(Check.EVICTION_POLICY))
					.contains(Severity.CRITICAL);
				Instant first = context.getBean(ResilientSessions.class).doctorReport().at();
				await().until(() -> context.getBean(ResilientSessions.class)
					.doctorReport()
					.at()
					.isAfter(first.plusMillis(300)));
			});
		assertThat(output.toString().split("Redis doctor \\[eviction-policy\\]", -1)).hasSize(2);
		assertThat(output).contains("ERROR").contains("CONFIG SET maxmemory-policy noeviction");
	}

	@Test
	void criticalFinding_ifAskedTo_stopsTheStart() {
		this.redis.configSet("maxmemory-policy", "allkeys-lru");
		StarterRunner.withRedis(this.redis)
			.withPropertyValues("resilient-session.doctor.on-critical=fail")
			.run((context) -> {
				assertThat(context).hasFailed();
				assertThat(context.getStartupFailure()).hasRootCauseInstanceOf(CriticalFindingsException.class);
				FailureAnalysis analysis = new CriticalFindingsFailureAnalyzer().analyze(context.getStartupFailure());
				assertThat(analysis.getDescription()).contains("allkeys-lru");
				assertThat(analysis.getAction()).contains("CONFIG SET maxmemory-policy noeviction")
					.contains("resilient-session.doctor.on-critical=warn");
			});
	}

	@Test
	void warning_doesNotStopTheStart() {
		StarterRunner.withRedis(this.redis)
			.withPropertyValues("resilient-session.doctor.on-critical=fail")
			.run((context) -> {
				assertThat(context).hasNotFailed();
				assertThat(context.getBean(ResilientSessions.class).doctorReport().severity(Check.MEMORY_LIMIT))
					.contains(Severity.WARNING);
			});
	}

	@Test
	void redisThatIsDown_doesNotStopTheStart() {
		StarterRunner.withRedisAt("redis://" + StarterRunner.unusedAddress())
			.withPropertyValues("resilient-session.doctor.on-critical=fail")
			.run((context) -> assertThat(context).hasNotFailed());
	}

	@Test
	void doctorThatIsOff_findsNothing() {
		this.redis.configSet("maxmemory-policy", "allkeys-lru");
		StarterRunner.withRedis(this.redis)
			.withPropertyValues("resilient-session.doctor.enabled=false")
			.run((context) -> {
				assertThat(context).hasNotFailed();
				assertThat(context.getBean(ResilientSessions.class).doctorReport().findings()).isEmpty();
			});
	}

}

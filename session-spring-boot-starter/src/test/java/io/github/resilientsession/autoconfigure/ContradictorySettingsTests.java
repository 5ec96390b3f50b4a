package io.github.resilientsession.autoconfigure;

import java.util.Arrays;

import io.github.resilientsession.ResilientSessionRepository;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import org.springframework.boot.autoconfigure.AutoConfigurations;
import org.springframework.boot.data.redis.autoconfigure.DataRedisAutoConfiguration;
import org.springframework.boot.diagnostics.FailureAnalysis;
import org.springframework.boot.session.autoconfigure.SessionAutoConfiguration;
import org.springframework.boot.test.context.runner.WebApplicationContextRunner;
import org.springframework.boot.test.system.CapturedOutput;
import org.springframework.boot.test.system.OutputCaptureExtension;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.data.redis.connection.RedisConnectionFactory;
import org.springframework.data.redis.connection.RedisStandaloneConfiguration;
import org.springframework.data.redis.connection.jedis.JedisConnectionFactory;
import org.springframework.data.redis.connection.lettuce.LettuceConnectionFactory;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Tests for settings that cannot work: the application does not start, and says what to
 * change.
 */
@ExtendWith(OutputCaptureExtension.class)
class ContradictorySettingsTests {

	private final WebApplicationContextRunner runner = StarterRunner
		.withRedisAt("redis://" + StarterRunner.unusedAddress());

	@ParameterizedTest
	@CsvSource({ "ttl.min=2h;ttl.max=1h, ttl.max", "ttl.min=0s, ttl.min", "ttl.max=30000d, ttl.max",
			"max-session-size=0B, max-session-size", "retry-after=0s, retry-after",
			"reconcile-interval=0s, reconcile-interval", "redis.time-limit=0ms, redis.time-limit",
			"redis.probe-interval=-1ms, redis.probe-interval", "durable.time-limit=100ms, durable.time-limit",
			"durable.probe-interval=0s, durable.probe-interval", "durable.touch-grace=-1s, durable.touch-grace",
			"durable.touch-grace=1s, durable.touch-grace", "load.max-batch-size=0, load.max-batch-size",
			"load.max-concurrent-loads=0, load.max-concurrent-loads",
			"load.max-concurrent-loads=8, durable.max-connections", "load.queue-capacity=10, load.queue-capacity",
			"load.time-limit=1s, load.time-limit", "redis.url=http://localhost, redis.url",
			"doctor.interval=0s, doctor.interval", "doctor.memory-limit=0B, doctor.memory-limit",
			"doctor.memory-warning=80, doctor.memory-warning", "doctor.memory-critical=0, doctor.memory-critical",
			"doctor.memory-warning=0.9;doctor.memory-critical=0.8, doctor.memory-critical",
			"doctor.max-fragmentation=0.5, doctor.max-fragmentation",
			"doctor.max-replica-lag=-1s, doctor.max-replica-lag", "doctor.full-within=0s, doctor.full-within",
			"doctor.slow-script=0ms, doctor.slow-script",
			"doctor.enabled=false;doctor.on-critical=fail, doctor.on-critical",
			"ttl-audit.interval=0s, ttl-audit.interval", "ttl-audit.keys-per-second=0, ttl-audit.keys-per-second" })
	void settings_thatContradict_stopTheStartWithTheirNames(String settings, String named) {
		String[] properties = Arrays.stream(settings.split(";"))
			.map((setting) -> "resilient-session." + setting)
			.toArray(String[]::new);
		assertThat(analyze(this.runner.withPropertyValues(properties)).getDescription())
			.contains("resilient-session." + named);
	}

	@Test
	void settings_withSeveralContradictions_areAllNamed() {
		FailureAnalysis analysis = analyze(
				this.runner.withPropertyValues("resilient-session.ttl.max=0s", "resilient-session.retry-after=0s"));
		assertThat(analysis.getDescription()).contains("ttl.max").contains("retry-after");
		assertThat(analysis.getAction()).contains("resilient-session.enabled=false");
	}

	@Test
	void start_withoutDataSource_namesTheProperties() {
		FailureAnalysis analysis = analyze(new WebApplicationContextRunner()
			.withConfiguration(AutoConfigurations.of(DataRedisAutoConfiguration.class, SessionAutoConfiguration.class,
					ResilientSessionAutoConfiguration.class)));
		assertThat(analysis.getDescription()).contains("spring.datasource.url")
			.contains("resilient-session.datasource.url");
	}

	@Test
	void start_withADatabaseThatIsNotSupported_namesTheProperty() {
		FailureAnalysis analysis = analyze(
				this.runner.withPropertyValues("resilient-session.datasource.url=jdbc:foo:bar",
						"resilient-session.datasource.driver-class-name=org.h2.Driver"));
		assertThat(analysis.getDescription()).contains("jdbc:foo").contains("resilient-session.datasource.url");
	}

	@Test
	void start_withTwoConnectionFactories_namesTheAnnotation() {
		FailureAnalysis analysis = analyze(this.runner.withUserConfiguration(TwoRedisConfiguration.class));
		assertThat(analysis.getDescription()).contains("@SpringSessionRedisConnectionFactory");
	}

	@Test
	void start_withJedis_asksForLettuce() {
		FailureAnalysis analysis = analyze(this.runner.withUserConfiguration(JedisConfiguration.class));
		assertThat(analysis.getDescription()).contains("JedisConnectionFactory")
			.contains("spring.data.redis.client-type=lettuce")
			.contains("resilient-session.redis.url");
	}

	@Test
	void start_withJedisAndAUrlOfItsOwn_succeeds() {
		this.runner.withUserConfiguration(JedisConfiguration.class)
			.withPropertyValues("resilient-session.redis.url=redis://" + StarterRunner.unusedAddress())
			.run((context) -> assertThat(context).hasSingleBean(ResilientSessionRepository.class));
	}

	@Test
	void timeout_thatNeverEnds_isClampedWithAWarning(CapturedOutput output) {
		this.runner.withPropertyValues("spring.session.timeout=-1", "resilient-session.ttl.max=8h").run((context) -> {
			assertThat(context.getBean(ResilientSessionRepository.class).createSession().getMaxInactiveInterval())
				.hasHours(8);
			assertThat(output).contains("The session timeout PT-1S lies outside of resilient-session.ttl");
		});
	}

	@Test
	void timeout_thatNeverEnds_isRejectedIfSoConfigured() {
		FailureAnalysis analysis = analyze(this.runner.withPropertyValues("spring.session.timeout=-1",
				"resilient-session.ttl.on-violation=reject"));
		assertThat(analysis.getDescription()).contains("spring.session.timeout")
			.contains("resilient-session.ttl.max")
			.contains("resilient-session.ttl.on-violation");
	}

	private static FailureAnalysis analyze(WebApplicationContextRunner runner) {
		FailureAnalysis[] found = new FailureAnalysis[1];
		runner.run((context) -> {
			assertThat(context).hasFailed();
			found[0] = new ContradictorySettingsFailureAnalyzer().analyze(context.getStartupFailure());
			assertThat(found[0]).as(String.valueOf(context.getStartupFailure())).isNotNull();
		});
		return found[0];
	}

	@Configuration(proxyBeanMethods = false)
	static class TwoRedisConfiguration {

		@Bean
		RedisConnectionFactory cacheConnectionFactory() {
			return new LettuceConnectionFactory("localhost", 1);
		}

		@Bean
		RedisConnectionFactory queueConnectionFactory() {
			return new LettuceConnectionFactory("localhost", 2);
		}

	}

	@Configuration(proxyBeanMethods = false)
	static class JedisConfiguration {

		@Bean
		RedisConnectionFactory redisConnectionFactory() {
			return new JedisConnectionFactory(new RedisStandaloneConfiguration("localhost", 1));
		}

	}

}

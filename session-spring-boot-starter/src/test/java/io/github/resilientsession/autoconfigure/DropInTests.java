package io.github.resilientsession.autoconfigure;

import java.time.Duration;
import java.util.concurrent.atomic.AtomicInteger;

import io.github.resilientsession.ResilientSession;
import io.github.resilientsession.ResilientSessionRepository;
import io.github.resilientsession.testsupport.RealServers;
import io.github.resilientsession.testsupport.RedisServer;
import io.lettuce.core.RedisURI;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

import org.springframework.beans.factory.annotation.Qualifier;
import org.springframework.boot.test.context.assertj.AssertableWebApplicationContext;
import org.springframework.boot.test.context.runner.WebApplicationContextRunner;
import org.springframework.boot.test.system.CapturedOutput;
import org.springframework.boot.test.system.OutputCaptureExtension;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.annotation.Primary;
import org.springframework.data.redis.connection.RedisConnectionFactory;
import org.springframework.data.redis.connection.lettuce.LettuceConnectionFactory;
import org.springframework.data.redis.serializer.GenericJacksonJsonRedisSerializer;
import org.springframework.data.redis.serializer.RedisSerializer;
import org.springframework.mock.web.MockHttpServletRequest;
import org.springframework.mock.web.MockHttpServletResponse;
import org.springframework.session.SessionIdGenerator;
import org.springframework.session.SessionRepository;
import org.springframework.session.config.SessionRepositoryCustomizer;
import org.springframework.session.data.redis.RedisSessionRepository;
import org.springframework.session.data.redis.config.annotation.SpringSessionRedisConnectionFactory;
import org.springframework.session.data.redis.config.annotation.web.http.EnableRedisHttpSession;
import org.springframework.session.web.http.CookieSerializer;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Tests for the starter in the place of plain Spring Session Redis: what was configured
 * stays in force.
 */
@RealServers
@ExtendWith(OutputCaptureExtension.class)
class DropInTests {

	private final RedisServer redis;

	private final WebApplicationContextRunner runner;

	DropInTests(RedisServer redis) {
		this.redis = redis;
		this.runner = StarterRunner.withRedis(redis);
	}

	@Test
	void starter_withoutSettings_replacesTheRepositoryOfRedis() {
		this.runner.run((context) -> {
			assertThat(context).hasSingleBean(SessionRepository.class)
				.hasSingleBean(ResilientSessionRepository.class)
				.doesNotHaveBean(UnusedStarterAutoConfiguration.class);
			ResilientSession session = saveSession(context);
			assertThat(this.redis.keys("*")).containsExactly("spring:session:sessions:" + session.getId());
		});
	}

	@Test
	void starter_whenDisabled_leavesSessionsToSpringBoot(CapturedOutput output) {
		this.runner.withPropertyValues("resilient-session.enabled=false").run((context) -> {
			assertThat(context).hasSingleBean(RedisSessionRepository.class)
				.doesNotHaveBean(ResilientSessionRepository.class)
				.doesNotHaveBean(SessionStoreUnavailableHandler.class)
				.doesNotHaveBean("flashMapManager");
			assertThat(output).doesNotContain("Resilient Session");
		});
	}

	@Test
	void starter_withAnEnableAnnotationOfTheApplication_backsOffAndSaysSo(CapturedOutput output) {
		this.runner.withUserConfiguration(EnableRedisConfiguration.class).run((context) -> {
			assertThat(context).hasSingleBean(RedisSessionRepository.class)
				.doesNotHaveBean(ResilientSessionRepository.class)
				.doesNotHaveBean(SessionStoreUnavailableHandler.class);
			assertThat(output).contains("Sessions are NOT kept by Resilient Session")
				.contains("@EnableRedisHttpSession")
				.contains("resilient-session.enabled=false");
		});
	}

	@Test
	void customizer_ofTheReplacedRepository_isReported(CapturedOutput output) {
		this.runner.withUserConfiguration(RedisCustomizerConfiguration.class).run((context) -> {
			assertThat(context).hasSingleBean(ResilientSessionRepository.class);
			assertThat(output).contains("The bean 'redisCustomizer' customizes a RedisSessionRepository");
		});
	}

	@Test
	void customizer_ofOurRepository_winsOverTheProperties() {
		this.runner.withPropertyValues("spring.session.timeout=10m")
			.withUserConfiguration(CustomizerConfiguration.class)
			.run((context) -> assertThat(timeout(context)).hasHours(5));
	}

	@Test
	void timeout_ofSpringSession_winsOverTheServers() {
		this.runner.withPropertyValues("spring.session.timeout=10m", "server.servlet.session.timeout=20m")
			.run((context) -> assertThat(timeout(context)).hasMinutes(10));
	}

	@Test
	void timeout_ofTheServerAlone_isUsed() {
		this.runner.withPropertyValues("server.servlet.session.timeout=20m")
			.run((context) -> assertThat(timeout(context)).hasMinutes(20));
	}

	@Test
	void timeout_ofNobody_isHalfAnHour() {
		this.runner.run((context) -> assertThat(timeout(context)).hasMinutes(30));
	}

	@Test
	void namespace_whenGiven_isThatOfTheKeys() {
		this.runner.withPropertyValues("spring.session.data.redis.namespace=shop").run((context) -> {
			ResilientSession session = saveSession(context);
			assertThat(this.redis.keys("*")).containsExactly("shop:sessions:" + session.getId());
			assertThat(this.redis.keysWithoutTtl("")).isEmpty();
		});
	}

	@Test
	void flushMode_whenImmediate_writesBeforeTheSave() {
		this.runner.withPropertyValues("spring.session.data.redis.flush-mode=immediate").run((context) -> {
			ResilientSessionRepository repository = context.getBean(ResilientSessionRepository.class);
			ResilientSession session = repository.createSession();
			assertThat(repository.findById(session.getId())).isNotNull();
			session.setAttribute("cart", "3 apples");
			assertThat(found(repository, session).<String>getAttribute("cart")).isEqualTo("3 apples");
		});
	}

	@Test
	void flushMode_byDefault_writesWithTheSaveOnly() {
		this.runner.run((context) -> {
			ResilientSessionRepository repository = context.getBean(ResilientSessionRepository.class);
			ResilientSession session = repository.createSession();
			assertThat(repository.findById(session.getId())).isNull();
		});
	}

	@Test
	void saveMode_onGetAttribute_savesWhatWasChangedInPlace() {
		this.runner.withPropertyValues("spring.session.data.redis.save-mode=on-get-attribute").run((context) -> {
			assertThat(changeInPlace(context)).isEqualTo("3 apples and a pear");
		});
	}

	@Test
	void saveMode_byDefault_savesWhatWasSet() {
		this.runner.run((context) -> assertThat(changeInPlace(context)).isEqualTo("3 apples"));
	}

	@Test
	void serializer_ofTheApplication_writesTheAttributes() {
		this.runner.withUserConfiguration(JsonConfiguration.class).run((context) -> {
			ResilientSession session = saveSession(context);
			String key = "spring:session:sessions:" + session.getId();
			assertThat(this.redis.<String>call((commands) -> commands.hget(key, "sessionAttr:cart")))
				.isEqualTo("\"3 apples\"");
			assertThat(found(context.getBean(ResilientSessionRepository.class), session).<String>getAttribute("cart"))
				.isEqualTo("3 apples");
		});
	}

	@Test
	void connectionFactory_thatIsQualified_keepsTheSessions() {
		try (RedisServer sessions = RedisServer.start()) {
			this.runner.withBean("sessionsUri", String.class, sessions::uri)
				.withBean("cacheUri", String.class, this.redis::uri)
				.withUserConfiguration(TwoRedisConfiguration.class)
				.run((context) -> {
					ResilientSession session = saveSession(context);
					assertThat(sessions.keys("*")).containsExactly("spring:session:sessions:" + session.getId());
					assertThat(this.redis.keys("*")).isEmpty();
				});
		}
	}

	@Test
	void redisUrl_ofItsOwn_keepsTheSessions() {
		try (RedisServer sessions = RedisServer.start()) {
			this.runner.withPropertyValues("resilient-session.redis.url=" + sessions.uri()).run((context) -> {
				ResilientSession session = saveSession(context);
				assertThat(sessions.keys("*")).containsExactly("spring:session:sessions:" + session.getId());
				assertThat(this.redis.keys("*")).isEmpty();
			});
		}
	}

	@Test
	void sessionIdGenerator_ofTheApplication_makesTheIds() {
		this.runner.withUserConfiguration(IdConfiguration.class).run((context) -> {
			ResilientSession session = saveSession(context);
			assertThat(session.getId()).isEqualTo("visitor-1");
			assertThat(session.changeSessionId()).isEqualTo("visitor-2");
		});
	}

	@Test
	void cookie_whenConfigured_isAsConfigured() {
		this.runner
			.withPropertyValues("server.servlet.session.cookie.name=SHOP", "server.servlet.session.cookie.path=/shop",
					"server.servlet.session.cookie.domain=example.com", "server.servlet.session.cookie.secure=true",
					"server.servlet.session.cookie.same-site=strict", "server.servlet.session.cookie.max-age=1h")
			.run((context) -> {
				MockHttpServletResponse response = new MockHttpServletResponse();
				context.getBean(CookieSerializer.class)
					.writeCookieValue(
							new CookieSerializer.CookieValue(new MockHttpServletRequest(), response, "an-id"));
				assertThat(response.getHeader("Set-Cookie")).startsWith("SHOP=")
					.contains("Max-Age=3600", "Domain=example.com", "Path=/shop", "Secure", "SameSite=Strict");
			});
	}

	private static ResilientSession saveSession(AssertableWebApplicationContext context) {
		return StarterRunner.saveSession(context.getBean(ResilientSessionRepository.class));
	}

	private static ResilientSession found(ResilientSessionRepository repository, ResilientSession session) {
		ResilientSession found = repository.findById(session.getId());
		assertThat(found).isNotNull();
		return found;
	}

	private static Duration timeout(AssertableWebApplicationContext context) {
		return context.getBean(ResilientSessionRepository.class).createSession().getMaxInactiveInterval();
	}

	private static String changeInPlace(AssertableWebApplicationContext context) {
		ResilientSessionRepository repository = context.getBean(ResilientSessionRepository.class);
		ResilientSession session = repository.createSession();
		session.setAttribute("cart", new StringBuilder("3 apples"));
		repository.save(session);
		ResilientSession next = found(repository, session);
		next.<StringBuilder>getRequiredAttribute("cart").append(" and a pear");
		repository.save(next);
		return found(repository, session).getRequiredAttribute("cart").toString();
	}

	@Configuration(proxyBeanMethods = false)
	@EnableRedisHttpSession
	static class EnableRedisConfiguration {

	}

	@Configuration(proxyBeanMethods = false)
	static class RedisCustomizerConfiguration {

		@Bean
		SessionRepositoryCustomizer<RedisSessionRepository> redisCustomizer() {
			return (repository) -> repository.setRedisKeyNamespace("shop");
		}

	}

	@Configuration(proxyBeanMethods = false)
	static class CustomizerConfiguration {

		@Bean
		SessionRepositoryCustomizer<ResilientSessionRepository> customizer() {
			return (repository) -> repository.setDefaultMaxInactiveInterval(Duration.ofHours(5));
		}

	}

	@Configuration(proxyBeanMethods = false)
	static class JsonConfiguration {

		@Bean
		RedisSerializer<Object> springSessionDefaultRedisSerializer() {
			return GenericJacksonJsonRedisSerializer.builder().build();
		}

	}

	@Configuration(proxyBeanMethods = false)
	static class TwoRedisConfiguration {

		@Bean
		@Primary
		RedisConnectionFactory cacheConnectionFactory(@Qualifier("cacheUri") String uri) {
			return connectionFactory(uri);
		}

		@Bean
		@SpringSessionRedisConnectionFactory
		RedisConnectionFactory sessionConnectionFactory(@Qualifier("sessionsUri") String uri) {
			return connectionFactory(uri);
		}

		private static LettuceConnectionFactory connectionFactory(String uri) {
			return new LettuceConnectionFactory(
					LettuceConnectionFactory.createRedisConfiguration(RedisURI.create(uri)));
		}

	}

	@Configuration(proxyBeanMethods = false)
	static class IdConfiguration {

		@Bean
		SessionIdGenerator sessionIdGenerator() {
			AtomicInteger next = new AtomicInteger();
			return () -> "visitor-" + next.incrementAndGet();
		}

	}

}

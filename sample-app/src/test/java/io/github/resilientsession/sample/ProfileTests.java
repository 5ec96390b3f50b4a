package io.github.resilientsession.sample;

import java.io.IOException;

import io.github.resilientsession.testsupport.PostgresServer;
import io.github.resilientsession.testsupport.RedisServer;
import io.zonky.test.db.postgres.embedded.EmbeddedPostgres;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import org.springframework.boot.SpringApplication;
import org.springframework.boot.web.server.servlet.context.ServletWebServerApplicationContext;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.data.redis.RedisConnectionFailureException;
import org.springframework.data.redis.connection.lettuce.LettuceConnectionFactory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

/**
 * Tests for the ways to start the shop: with servers of its own or with given ones.
 */
class ProfileTests {

	@ParameterizedTest
	@ValueSource(strings = { "", "plain" })
	void shop_withoutGivenServers_bringsItsOwnAndEndsThem(String profile) {
		String host;
		int port;
		try (ConfigurableApplicationContext shop = start("--spring.profiles.active=" + profile)) {
			RedisServer redis = shop.getBean(RedisServer.class);
			host = redis.host();
			port = redis.port();
			assertLoginWorks(shop);
			// It can only show what Resilient Session does.
			assertThat(visitor(shop).get("/control").statusCode()).isEqualTo(profile.isEmpty() ? 200 : 404);
		}
		assertNobodyListens(host, port);
	}

	@ParameterizedTest
	@ValueSource(strings = { "postgres", "postgres,plain" })
	void shop_withGivenServers_usesThem(String profiles) throws IOException {
		try (RedisServer redis = RedisServer.start(); EmbeddedPostgres postgres = EmbeddedPostgres.start()) {
			try (ConfigurableApplicationContext shop = start("--spring.profiles.active=" + profiles,
					"--spring.data.redis.host=" + redis.host(), "--spring.data.redis.port=" + redis.port(),
					"--spring.datasource.url=" + postgres.getJdbcUrl("postgres", "postgres"))) {
				assertThat(shop.getBeansOfType(RedisServer.class)).isEmpty();
				assertLoginWorks(shop);
			}
		}
	}

	@Test
	void shop_withTheDefaultProfile_isTheDemo_onARealDatabase() {
		try (ConfigurableApplicationContext shop = start()) {
			assertThat(shop.getEnvironment().getDefaultProfiles()).containsExactly("demo");
			assertThat(shop.getBean(PostgresServer.class).isRunning()).isTrue();
		}
	}

	private ConfigurableApplicationContext start(String... args) {
		String[] all = new String[args.length + 1];
		System.arraycopy(args, 0, all, 1, args.length);
		all[0] = "--server.port=0";
		return SpringApplication.run(ShopApplication.class, all);
	}

	private static Visitor visitor(ConfigurableApplicationContext shop) {
		return new Visitor(((ServletWebServerApplicationContext) shop).getWebServer().getPort());
	}

	private static void assertLoginWorks(ConfigurableApplicationContext shop) {
		Visitor visitor = visitor(shop);
		assertThat(visitor.apiLogin("anna", "lasting").statusCode()).isEqualTo(200);
		assertThat(visitor.api("GET", "/api/me").body()).contains("anna");
	}

	private static void assertNobodyListens(String host, int port) {
		LettuceConnectionFactory connections = new LettuceConnectionFactory(host, port);
		connections.afterPropertiesSet();
		connections.start();
		try {
			assertThatExceptionOfType(RedisConnectionFailureException.class).isThrownBy(connections::getConnection);
		}
		finally {
			connections.destroy();
		}
	}

}

package io.github.resilientsession.sample;

import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.List;

import io.github.resilientsession.testsupport.PostgresServer;
import org.junit.jupiter.api.Test;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Tests for the shop with its sessions in PostgreSQL, which may fail, too.
 */
class PostgresSurvivalTests extends SurvivalTests {

	private static final PostgresServer postgres = PostgresServer.start();

	@Override
	List<String> database() {
		return List.of("--spring.datasource.url=" + postgres.createDatabase(),
				"--spring.datasource.username=" + postgres.username(),
				"--spring.datasource.password=" + postgres.password());
	}

	@Override
	void stopDatabase() {
		postgres.close();
	}

	@Test
	void visitors_whenBothStoresAreKilled_keepTheirCookiesAndFindTheirCartsAgain() {
		Visitor anna = loggedIn("anna");
		String cookie = anna.cookie("SESSION");
		add(anna);
		this.redis.kill();
		postgres.kill();
		try {
			assertSessionsAreUnavailableAndPublicPagesAreNot(anna);
		}
		finally {
			postgres.restart();
		}
		this.redis.restartEmpty();
		awaitHealth();
		assertThat(anna.cookie("SESSION")).isEqualTo(cookie);
		assertThat(count(anna)).isEqualTo(1);
		assertThat(add(anna)).isEqualTo(2);
		assertThat(anna.cookie("SESSION")).isEqualTo(cookie);
	}

	@Test
	void visitors_whenBothStoresHang_keepTheirCookiesAndFindTheirCartsAgain() {
		Visitor anna = loggedIn("anna");
		String cookie = anna.cookie("SESSION");
		add(anna);
		this.redis.pause();
		postgres.pause();
		try {
			assertSessionsAreUnavailableAndPublicPagesAreNot(anna);
		}
		finally {
			postgres.resume();
		}
		this.redis.resume();
		awaitHealth();
		assertThat(anna.cookie("SESSION")).isEqualTo(cookie);
		assertThat(count(anna)).isEqualTo(1);
		assertThat(add(anna)).isEqualTo(2);
	}

	@Test
	void sessionInRedis_whenTheDatabaseIsKilled_isRead() {
		Visitor anna = loggedIn("anna");
		add(anna);
		postgres.kill();
		try {
			for (int i = 0; i < 20; i++) {
				assertThat(inTime(() -> anna.api("GET", "/api/cart"))).satisfies((cart) -> {
					assertThat(count(cart)).isEqualTo(1);
					assertThat(cart.headers().allValues("Set-Cookie")).isEmpty();
				});
			}
			assertThat(anna.get("/cart").statusCode()).isEqualTo(200);
		}
		finally {
			postgres.restart();
		}
		awaitHealth();
		assertThat(add(anna)).isEqualTo(2);
	}

	private void assertSessionsAreUnavailableAndPublicPagesAreNot(Visitor visitor) {
		for (int i = 0; i < 10; i++) {
			HttpResponse<String> cart = inTime(() -> visitor.api("GET", "/api/cart"));
			assertThat(cart.statusCode()).isEqualTo(503);
			assertThat(cart.headers().firstValue("Retry-After"))
				.hasValueSatisfying((seconds) -> assertThat(Duration.ofSeconds(Long.parseLong(seconds))).isPositive());
			assertThat(cart.headers().allValues("Set-Cookie")).isEmpty();
			for (String page : List.of("/", "/shop.css")) {
				HttpResponse<String> response = inTime(() -> visitor.get(page));
				assertThat(response.statusCode()).as(page).isEqualTo(200);
				assertThat(response.headers().allValues("Set-Cookie"))
					.noneSatisfy((cookie) -> assertThat(cookie).startsWith("SESSION="));
			}
		}
	}

}

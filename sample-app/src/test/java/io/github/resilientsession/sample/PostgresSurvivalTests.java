package io.github.resilientsession.sample;

import java.net.http.HttpResponse;
import java.util.List;

import io.github.resilientsession.testsupport.PostgresServer;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

class PostgresSurvivalTests extends SurvivalTests {

	private final PostgresServer postgres = PostgresServer.start();

	@Override
	protected List<String> databaseArguments() {
		return List.of("--spring.datasource.url=" + this.postgres.createDatabase(),
				"--spring.datasource.username=" + this.postgres.username(),
				"--spring.datasource.password=" + this.postgres.password());
	}

	@AfterEach
	void bringBackTheDatabase() {
		if (!this.postgres.isRunning()) {
			this.postgres.restart();
		}
		await().untilAsserted(() -> assertThat(visitor().apiLogin("chris", "lasting").statusCode()).isEqualTo(200));
	}

	@AfterAll
	void closeDatabase() {
		this.postgres.close();
	}

	@Test
	void bothStoresKilled_isA503WithTheCookieKept_publicPagesWork_andAllIsThereAfterwards() {
		String cookie = this.anna.cookie("SESSION");
		this.redis.kill();
		this.postgres.kill();
		for (int i = 0; i < 10; i++) {
			HttpResponse<String> cart = this.anna.api("GET", "/api/cart");
			assertThat(cart.statusCode()).isEqualTo(503);
			assertThat(cart.headers().firstValue("Retry-After")).hasValue("5");
			assertThat(cart.headers().firstValue("Set-Cookie")).isEmpty();
			assertThat(this.anna.get("/shop.css").statusCode()).isEqualTo(200);
			HttpResponse<String> catalogue = this.anna.get("/");
			assertThat(catalogue.statusCode()).isEqualTo(200);
			assertThat(catalogue.body()).contains("Enamel mug").contains("not").doesNotContain("Log in to buy");
			assertThat(catalogue.headers().firstValue("Set-Cookie").orElse("")).doesNotContain("SESSION");
			assertThat(this.anna.get("/no-such-page").statusCode()).isEqualTo(404);
		}
		assertThat(this.anna.get("/cart").body()).contains("You are not logged out");
		this.postgres.restart();
		this.redis.restartEmpty();
		assertThat(this.anna.cookie("SESSION")).isEqualTo(cookie);
		await().untilAsserted(() -> assertCart(this.anna, 1));
		await().untilAsserted(() -> add(this.anna, 1));
	}

	@Test
	void databaseKilled_sessionsInRedisAreRead_andWritesAre503() {
		this.postgres.kill();
		for (int i = 0; i < 10; i++) {
			assertCart(this.anna, 1);
		}
		assertThat(this.anna.api("POST", "/api/cart/items", "{\"productId\": \"mug\", \"quantity\": 1}").statusCode())
			.isEqualTo(503);
		this.postgres.restart();
		await().untilAsserted(() -> add(this.anna, 1));
		assertCart(this.anna, 2);
	}

	@Test
	void databaseHung_sessionsInRedisAreRead_andWritesAre503WithinTheLimit() {
		this.postgres.pause();
		try {
			assertCart(this.anna, 1);
			assertThat(
					this.anna.api("POST", "/api/cart/items", "{\"productId\": \"mug\", \"quantity\": 1}").statusCode())
				.isEqualTo(503);
			assertCart(this.anna, 1);
		}
		finally {
			this.postgres.resume();
		}
		await().untilAsserted(() -> add(this.anna, 1));
	}

}

package io.github.resilientsession.sample;

import java.net.http.HttpResponse;
import java.util.List;
import java.util.Map;

import io.github.resilientsession.testsupport.RedisServer;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import org.springframework.beans.factory.annotation.Autowired;
import org.springframework.boot.test.context.SpringBootTest;
import org.springframework.boot.test.context.SpringBootTest.WebEnvironment;
import org.springframework.boot.test.web.server.LocalServerPort;
import org.springframework.data.redis.core.StringRedisTemplate;
import org.springframework.test.annotation.DirtiesContext;
import org.springframework.test.context.DynamicPropertyRegistry;
import org.springframework.test.context.DynamicPropertySource;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Tests for the shop as its visitors know it, over HTTP and with a real Redis.
 */
@SpringBootTest(webEnvironment = WebEnvironment.RANDOM_PORT,
		properties = { "shop.embedded-servers=false", "spring.datasource.url=jdbc:h2:mem:shop;DB_CLOSE_DELAY=-1" })
// Redis stops after this class, so no later class may reuse a context that needs it.
@DirtiesContext
class ShopTests {

	private static final RedisServer redis = RedisServer.start();

	@LocalServerPort
	private int port;

	@Autowired
	private StringRedisTemplate redisTemplate;

	private Visitor visitor;

	@DynamicPropertySource
	static void useRedis(DynamicPropertyRegistry registry) {
		registry.add("spring.data.redis.host", redis::host);
		registry.add("spring.data.redis.port", redis::port);
	}

	@AfterAll
	static void stopRedis() {
		redis.close();
	}

	@BeforeEach
	void newVisitor() {
		this.visitor = new Visitor(this.port);
	}

	@ParameterizedTest
	@ValueSource(strings = { "/", "/shop.css", "/favicon.svg", "/api/products", "/nowhere", "/api/me" })
	void visit_byAStranger_setsNoCookieAndCreatesNoSession(String path) {
		int sessions = sessions();
		HttpResponse<String> response = this.visitor.get(path);
		assertThat(response.headers().allValues("Set-Cookie")).isEmpty();
		assertThat(sessions()).isEqualTo(sessions);
	}

	@ParameterizedTest
	@ValueSource(strings = { "/login", "/cart", "/order" })
	void visit_byAStrangerWhoMightLogIn_createsNoSession(String path) {
		int sessions = sessions();
		this.visitor.get(path);
		assertThat(this.visitor.cookie("SESSION")).isEmpty();
		assertThat(sessions()).isEqualTo(sessions);
	}

	@Test
	void catalogue_forAStranger_showsProductsAndNobodysName() {
		HttpResponse<String> response = this.visitor.get("/");
		assertThat(response.statusCode()).isEqualTo(200);
		assertThat(response.body()).contains("Enamel mug", "Log in to buy").doesNotContain("Hello,", "<form");
	}

	@Test
	void pages_requestNothingFromElsewhere() {
		HttpResponse<String> response = this.visitor.get("/");
		assertThat(response.body()).doesNotContain("http://", "https://", "src=\"//");
		assertThat(response.headers().firstValue("Content-Security-Policy"))
			.hasValueSatisfying((policy) -> assertThat(policy).contains("default-src 'none'"));
	}

	@Test
	void cart_ofAStranger_leadsToTheLoginAndBackAgain() {
		HttpResponse<String> cart = this.visitor.get("/cart");
		assertThat(location(cart)).endsWith("/login");
		assertThat(location(this.visitor.login("anna", "lasting"))).contains("/cart");
	}

	@Test
	void login_withTheRightPassword_showsTheUserAndAnEmptyCart() {
		HttpResponse<String> login = this.visitor.login("anna", "lasting");
		assertThat(login.statusCode()).isEqualTo(302);
		assertThat(login.headers().allValues("Set-Cookie"))
			.anySatisfy((cookie) -> assertThat(cookie).startsWith("SESSION=").contains("HttpOnly", "SameSite=Lax"));
		assertThat(this.visitor.get("/").body()).contains("Hello, <strong>anna</strong>",
				"Cart <span class=\"count\">0</span>");
	}

	@Test
	void login_withAWrongPassword_isRefusedWithoutASession() {
		HttpResponse<String> login = this.visitor.login("anna", "wrong");
		assertThat(location(login)).endsWith("/login?error");
		assertThat(this.visitor.get("/login?error").body()).contains("don't match");
		assertThat(this.visitor.cookie("SESSION")).isEmpty();
	}

	@Test
	void login_givesTheSessionANewId() {
		this.visitor.login("anna", "lasting");
		String before = this.visitor.cookie("SESSION");
		this.visitor.login("anna", "lasting");
		assertThat(this.visitor.cookie("SESSION")).isNotEmpty().isNotEqualTo(before);
		Visitor attacker = new Visitor(this.port);
		attacker.presentCookie("SESSION", before);
		assertThat(attacker.api("GET", "/api/me").statusCode()).isEqualTo(401);
	}

	@Test
	void apiLogin_givesTheSessionANewId() {
		this.visitor.apiLogin("anna", "lasting");
		String before = this.visitor.cookie("SESSION");
		this.visitor.apiLogin("anna", "lasting");
		assertThat(this.visitor.cookie("SESSION")).isNotEmpty().isNotEqualTo(before);
		Visitor attacker = new Visitor(this.port);
		attacker.presentCookie("SESSION", before);
		assertThat(attacker.api("GET", "/api/me").statusCode()).isEqualTo(401);
	}

	@Test
	void login_withAnInventedSessionId_doesNotAdoptIt() {
		String invented = "bXktb3duLXNlc3Npb24taWQ=";
		this.visitor.presentCookie("SESSION", invented);
		this.visitor.login("anna", "lasting");
		assertThat(this.visitor.cookie("SESSION")).isNotEmpty().isNotEqualTo(invented);
	}

	@Test
	void login_bySomebodyElseInTheSameSession_doesNotInheritTheCart() {
		this.visitor.login("anna", "lasting");
		addToCart("mug", 2);
		this.visitor.login("ben", "lasting");
		assertThat(this.visitor.get("/cart").body()).contains("<strong>ben</strong>", "nothing in it yet");
		this.visitor.apiLogin("ben", "lasting");
		this.visitor.api("POST", "/api/cart/items", item("mug", 2));
		this.visitor.apiLogin("chris", "lasting");
		assertThat(this.visitor.api("GET", "/api/cart").body()).contains("\"items\":[]");
	}

	@Test
	void login_againBySameUserInTheSameSession_keepsTheCart() {
		this.visitor.login("anna", "lasting");
		addToCart("mug", 2);
		this.visitor.login("anna", "lasting");
		assertThat(this.visitor.get("/cart").body()).contains("€ 25.00");
	}

	@Test
	void cart_isFilledChangedAndOrdered() {
		this.visitor.login("anna", "lasting");
		assertThat(location(addToCart("mug", 2))).endsWith("/cart");
		addToCart("mug", 1);
		addToCart("stool", 1);
		assertThat(this.visitor.get("/cart").body()).contains("€ 37.50", "€ 157.50",
				"Cart <span class=\"count\">4</span>");
		this.visitor.submit("/cart", "/cart/items/mug", Map.of("quantity", "5"));
		assertThat(this.visitor.get("/cart").body()).contains("€ 62.50", "€ 182.50");
		this.visitor.submit("/cart", "/cart/items/stool/remove", Map.of());
		assertThat(this.visitor.get("/cart").body()).contains("€ 62.50").doesNotContain("Oak stool");
		assertThat(location(this.visitor.submit("/cart", "/checkout", Map.of()))).endsWith("/order");
		assertThat(this.visitor.get("/order").body()).contains("Your order is placed", "€ 62.50",
				"Cart <span class=\"count\">0</span>");
	}

	@Test
	void form_withoutACsrfToken_isForbidden() {
		this.visitor.login("anna", "lasting");
		Map<String, String> item = Map.of("productId", "mug", "quantity", "1");
		HttpResponse<String> response = this.visitor.submitWithoutToken("/cart/items", item);
		assertThat(response.statusCode()).isEqualTo(403);
		assertThat(response.body()).contains("did not come from this shop");
		assertThat(this.visitor.submitWithoutToken("/logout", Map.of()).statusCode()).isEqualTo(403);
		assertThat(this.visitor.get("/").body()).contains("Cart <span class=\"count\">0</span>");
	}

	@Test
	void form_withNonsense_isABadRequestThatSaysWhy() {
		this.visitor.login("anna", "lasting");
		assertThat(addToCart("mug", 100)).satisfies((response) -> {
			assertThat(response.statusCode()).isEqualTo(400);
			assertThat(response.body()).contains("between 1 and 99");
		});
		assertThat(addToCart("nonsense", 1).body()).contains("Unknown product: nonsense");
		assertThat(this.visitor.submit("/cart", "/cart/items/mug", Map.of("quantity", "many")).statusCode())
			.isEqualTo(400);
	}

	@Test
	void page_thatDoesNotExist_isNotFoundForStrangersAndUsers() {
		assertThat(this.visitor.get("/nowhere").statusCode()).isEqualTo(404);
		assertThat(this.visitor.get("/nowhere").body()).contains("There is no such page");
		this.visitor.login("anna", "lasting");
		assertThat(this.visitor.get("/nowhere").statusCode()).isEqualTo(404);
	}

	@Test
	void logout_endsTheSession() {
		this.visitor.login("anna", "lasting");
		String session = this.visitor.cookie("SESSION");
		assertThat(location(this.visitor.submit("/", "/logout", Map.of()))).endsWith("/");
		assertThat(this.visitor.cookie("SESSION")).isEmpty();
		this.visitor.presentCookie("SESSION", session);
		assertThat(this.visitor.api("GET", "/api/me").statusCode()).isEqualTo(401);
	}

	@Test
	void apiLogin_withAWrongPassword_isUnauthorizedInJson() {
		for (HttpResponse<String> response : List.of(this.visitor.apiLogin("anna", "wrong"),
				this.visitor.apiLogin("nobody", "lasting"), this.visitor.api("POST", "/api/login", "{}"))) {
			assertThat(response.statusCode()).isEqualTo(401);
			assertThat(response.headers().firstValue("Content-Type")).hasValue("application/problem+json");
			assertThat(response.body()).contains("\"detail\":\"Wrong username or password\"");
		}
		assertThat(this.visitor.cookie("SESSION")).isEmpty();
	}

	@ParameterizedTest
	@ValueSource(strings = { "/api/me", "/api/cart", "/api/nowhere" })
	void api_ofAStranger_isUnauthorizedInJsonAndNotARedirect(String path) {
		HttpResponse<String> response = this.visitor.api("GET", path);
		assertThat(response.statusCode()).isEqualTo(401);
		assertThat(response.headers().firstValue("Content-Type"))
			.hasValueSatisfying((type) -> assertThat(type).startsWith("application/problem+json"));
		assertThat(response.body()).contains("\"detail\":\"Log in first: POST /api/login\"");
	}

	@Test
	void api_isEnoughToLogInShopAndLogOut() {
		HttpResponse<String> login = this.visitor.apiLogin("anna", "lasting");
		assertThat(login.statusCode()).isEqualTo(200);
		assertThat(login.body()).isEqualTo("{\"username\":\"anna\"}");
		assertThat(this.visitor.api("GET", "/api/me").body()).isEqualTo("{\"username\":\"anna\"}");
		assertThat(this.visitor.api("GET", "/api/products").body()).contains("\"id\":\"mug\"", "\"price\":12.50");
		assertThat(this.visitor.api("POST", "/api/cart/items", item("mug", 2)).body()).isEqualTo("""
				{"items":[{"productId":"mug","name":"Enamel mug","price":12.50,"quantity":2,"sum":25.00}],\
				"count":2,"total":25.00}""");
		assertThat(this.visitor.api("PUT", "/api/cart/items/mug", "{\"quantity\": 3}").body())
			.contains("\"total\":37.50");
		this.visitor.api("POST", "/api/cart/items", item("pan", 1));
		assertThat(this.visitor.api("DELETE", "/api/cart/items/mug").body()).contains("\"total\":49.00");
		assertThat(this.visitor.api("GET", "/api/cart").body()).contains("\"total\":49.00");
		assertThat(this.visitor.api("POST", "/api/checkout").body()).contains("\"total\":49.00");
		assertThat(this.visitor.api("GET", "/api/cart").body()).isEqualTo("{\"items\":[],\"count\":0,\"total\":0.00}");
		assertThat(this.visitor.api("POST", "/api/logout").statusCode()).isEqualTo(204);
		assertThat(this.visitor.api("GET", "/api/me").statusCode()).isEqualTo(401);
	}

	@ParameterizedTest
	@ValueSource(strings = { "{\"productId\": \"nonsense\", \"quantity\": 1}", "{\"quantity\": 1}",
			"{\"productId\": \"mug\", \"quantity\": 0}", "{\"productId\": \"mug\", \"quantity\": -1}",
			"{\"productId\": \"mug\", \"quantity\": 100}", "{\"productId\": \"mug\", \"quantity\": 1.5}",
			"{\"productId\": \"mug\", \"quantity\": 99999999999}", "{\"productId\": \"mug\"}", "{\"productId\": ", "" })
	void api_withNonsense_isABadRequestThatSaysWhy(String body) {
		this.visitor.apiLogin("anna", "lasting");
		HttpResponse<String> response = this.visitor.api("POST", "/api/cart/items", body);
		assertThat(response.statusCode()).isEqualTo(400);
		assertThat(response.headers().firstValue("Content-Type")).hasValue("application/problem+json");
		assertThat(response.body()).containsPattern("\"detail\":\"[^\"]+\"");
	}

	@Test
	void api_addingBeyondTheLimitInTwoSteps_isABadRequestAndLeavesTheCart() {
		this.visitor.apiLogin("anna", "lasting");
		this.visitor.api("POST", "/api/cart/items", item("mug", 60));
		assertThat(this.visitor.api("POST", "/api/cart/items", item("mug", 60)).body())
			.contains("between 1 and 99, not 120");
		assertThat(this.visitor.api("GET", "/api/cart").body()).contains("\"quantity\":60");
	}

	@Test
	void api_postedAsAForm_isRefusedSinceAnotherSiteCouldSendThat() {
		this.visitor.apiLogin("anna", "lasting");
		assertThat(this.visitor.submitWithoutToken("/api/logout", Map.of()).statusCode()).isEqualTo(415);
		assertThat(this.visitor.get("/api/logout").statusCode()).isNotEqualTo(204);
		assertThat(this.visitor.api("GET", "/api/me").statusCode()).isEqualTo(200);
	}

	private HttpResponse<String> addToCart(String productId, int quantity) {
		return this.visitor.submit("/", "/cart/items",
				Map.of("productId", productId, "quantity", String.valueOf(quantity)));
	}

	private int sessions() {
		return this.redisTemplate.keys("spring:session:sessions:*").size();
	}

	private static String item(String productId, int quantity) {
		return "{\"productId\": \"%s\", \"quantity\": %d}".formatted(productId, quantity);
	}

	private static String location(HttpResponse<String> response) {
		return response.headers().firstValue("Location").orElse("");
	}

}

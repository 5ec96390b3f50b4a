package io.github.resilientsession.sample;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

import io.github.resilientsession.testsupport.PostgresServer;
import io.github.resilientsession.testsupport.RedisServer;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import org.springframework.boot.SpringApplication;
import org.springframework.boot.web.server.servlet.context.ServletWebServerApplicationContext;
import org.springframework.context.ConfigurableApplicationContext;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

/**
 * Tests for who may use the control room, and for what it answers: over HTTP, to the demo
 * as it is started.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class ControlRoomTests {

	private static final Pattern CSRF = Pattern
		.compile("<meta name=\"csrf\" content=\"([^\"]+)\" data-header=\"([^\"]+)\"");

	private static final String MARK = "a-key-that-a-flush-removes";

	private ConfigurableApplicationContext shop;

	private RedisServer redis;

	private int port;

	private Visitor visitor;

	@BeforeAll
	void start() {
		this.shop = SpringApplication.run(ShopApplication.class, "--server.port=0");
		this.redis = this.shop.getBean(RedisServer.class);
		this.port = port(this.shop);
	}

	@AfterAll
	void stop() {
		if (this.shop != null) {
			this.shop.close();
		}
	}

	@BeforeEach
	void newVisitor() {
		this.visitor = new Visitor(this.port);
		this.redis.call((commands) -> commands.set(MARK, "there"));
	}

	@Test
	void page_isForThisMachine() {
		HttpResponse<String> page = this.visitor.get("/control");
		assertThat(page.statusCode()).isEqualTo(200);
		assertThat(page.body()).contains("Kill Redis", "kill -9, as the kernel does for memory");
		assertThat(page.headers().firstValue("Content-Security-Policy"))
			.hasValueSatisfying((policy) -> assertThat(policy).contains("default-src 'none'", "script-src 'self'"));
	}

	@ParameterizedTest
	@ValueSource(strings = { "/control", "/control/events" })
	void page_underTheNameOfAnotherSite_isRefused(String path) throws IOException {
		assertThat(statusByHost(path, "shop.example")).isEqualTo(403);
		assertThat(statusByHost(path, "127.0.0.1.shop.example:" + this.port)).isEqualTo(403);
		assertThat(statusByHost(path, "localhost:" + this.port)).isEqualTo(200);
	}

	@ParameterizedTest
	@ValueSource(strings = { "X-Forwarded-For: 192.0.2.1", "X-Forwarded-For: 127.0.0.1", "X-Forwarded-Host: localhost",
			"Forwarded: for=127.0.0.1" })
	void page_throughALoadBalancer_isRefused(String header) throws Exception {
		assertThat(status(this.port, "/control", header)).isEqualTo(403);
		assertThat(status(this.port, "/control/events", header)).isEqualTo(403);
	}

	@Test
	void page_fromAnotherMachine_isRefused() throws Exception {
		Optional<InetAddress> address = ThisMachine.otherAddress();
		assumeTrue(address.isPresent(), "This machine has no address but that of itself");
		URI uri = URI.create("http://" + address.get().getHostAddress() + ":" + this.port + "/control");
		assertThat(send(HttpRequest.newBuilder(uri).build()).statusCode()).isEqualTo(403);
	}

	@ParameterizedTest
	@ValueSource(strings = { "native", "framework" })
	void headerThatClaimsToBeThisMachine_isNotBelieved_whereHeadersAreEvaluated(String strategy) throws Exception {
		try (ConfigurableApplicationContext behindLoadBalancer = SpringApplication.run(ShopApplication.class,
				"--server.port=0", "--server.forward-headers-strategy=" + strategy)) {
			int port = port(behindLoadBalancer);
			for (String path : List.of("/control", "/actuator/prometheus")) {
				for (String header : List.of("X-Forwarded-For: 127.0.0.1", "Forwarded: for=127.0.0.1")) {
					assertThat(status(port, path, header)).as("%s with %s", path, header).isEqualTo(403);
				}
			}
			assertThat(status(port, "/actuator/health", "X-Forwarded-For: 127.0.0.1")).isEqualTo(200);
		}
	}

	@Test
	void button_withoutToken_isRefused_andDoesNothing() {
		assertThat(this.visitor.submitWithoutToken("/control/faults/FLUSH", Map.of()).statusCode()).isEqualTo(403);
		assertThat(this.redis.keys(MARK)).hasSize(1);
	}

	@Test
	void button_withToken_doesWhatItSays() throws Exception {
		assertThat(press("/control/faults/FLUSH").get().statusCode()).isEqualTo(204);
		assertThat(this.redis.keys(MARK)).isEmpty();
	}

	@Test
	void button_whileAnotherIsAtWork_isRefused() throws Exception {
		CompletableFuture<HttpResponse<String>> one;
		CompletableFuture<HttpResponse<String>> other;
		// One of them waits for Redis, and the other one is refused.
		this.redis.pause();
		try {
			one = press("/control/faults/FLUSH");
			other = press("/control/faults/FLUSH");
			CompletableFuture.anyOf(one, other).get(30, TimeUnit.SECONDS);
		}
		finally {
			this.redis.resume();
		}
		assertThat(List.of(one.get().statusCode(), other.get().statusCode())).containsExactlyInAnyOrder(409, 204);
	}

	@ParameterizedTest
	@ValueSource(strings = { "-1", "2001", "many" })
	void visitors_thatAreTooManyOrTooFew_areRefused(String visitsPerSecond) throws Exception {
		assertThat(press("/control/load?visitsPerSecond=" + visitsPerSecond).get().statusCode()).isEqualTo(400);
	}

	@Test
	void readings_areThere_whileNoStoreAnswers() throws Exception {
		this.visitor.apiLogin("anna", "lasting");
		this.redis.kill();
		this.shop.getBean(PostgresServer.class).kill();
		try {
			assertThat(this.visitor.get("/control").statusCode()).isEqualTo(200);
			HttpRequest request = request(this.port, "/control/events")
				.header("Cookie", "SESSION=" + this.visitor.cookie("SESSION"))
				.build();
			HttpResponse<InputStream> events = HttpClient.newHttpClient().send(request, BodyHandlers.ofInputStream());
			assertThat(events.statusCode()).isEqualTo(200);
			try (InputStream body = events.body()) {
				// Some of the first may be of when the stores still answered.
				assertThat(lines(body).limit(60)).anyMatch((line) -> line.contains("no store"));
			}
		}
		finally {
			assertThat(press("/control/faults/MEND").get().statusCode()).isEqualTo(204);
		}
	}

	/**
	 * As the page's script does it.
	 */
	private CompletableFuture<HttpResponse<String>> press(String path) {
		Matcher csrf = CSRF.matcher(this.visitor.get("/control").body());
		assertThat(csrf.find()).isTrue();
		HttpRequest request = request(this.port, path).header(csrf.group(2), csrf.group(1))
			.header("Cookie", "XSRF-TOKEN=" + this.visitor.cookie("XSRF-TOKEN"))
			.POST(BodyPublishers.noBody())
			.build();
		return HttpClient.newHttpClient().sendAsync(request, BodyHandlers.ofString());
	}

	/**
	 * On a plain connection: Java's client does not send just any name.
	 */
	private int statusByHost(String path, String host) throws IOException {
		try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), this.port)) {
			socket.getOutputStream()
				.write("GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n".formatted(path, host)
					.getBytes(StandardCharsets.US_ASCII));
			String line = new BufferedReader(new InputStreamReader(socket.getInputStream(), StandardCharsets.US_ASCII))
				.readLine();
			return Integer.parseInt(line.split(" ")[1]);
		}
	}

	private static int status(int port, String path, String header) throws IOException, InterruptedException {
		String[] parts = header.split(": ");
		return send(request(port, path).header(parts[0], parts[1]).build()).statusCode();
	}

	private static HttpResponse<String> send(HttpRequest request) throws IOException, InterruptedException {
		return HttpClient.newHttpClient().send(request, BodyHandlers.ofString());
	}

	private static HttpRequest.Builder request(int port, String path) {
		return HttpRequest.newBuilder(URI.create("http://localhost:" + port + path));
	}

	private static Stream<String> lines(InputStream body) {
		return new BufferedReader(new InputStreamReader(body, StandardCharsets.UTF_8)).lines();
	}

	private static int port(ConfigurableApplicationContext shop) {
		return ((ServletWebServerApplicationContext) shop).getWebServer().getPort();
	}

}

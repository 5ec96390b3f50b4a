package io.github.resilientsession.sample;

import java.io.IOException;
import java.net.InetAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;

import io.github.resilientsession.testsupport.RedisServer;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.yaml.snakeyaml.Yaml;
import tools.jackson.databind.json.JsonMapper;

import org.springframework.boot.test.context.SpringBootTest;
import org.springframework.boot.test.context.SpringBootTest.WebEnvironment;
import org.springframework.boot.test.web.server.LocalServerPort;
import org.springframework.test.annotation.DirtiesContext;
import org.springframework.test.context.DynamicPropertyRegistry;
import org.springframework.test.context.DynamicPropertySource;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

/**
 * Tests for the alerts, the dashboard and the pages about them in {@code docs}, against
 * what the running shop shows to Prometheus.
 */
@SpringBootTest(webEnvironment = WebEnvironment.RANDOM_PORT,
		properties = { "shop.embedded-servers=false", "spring.datasource.url=jdbc:h2:mem:watched;DB_CLOSE_DELAY=-1",
				"management.prometheus.metrics.export.enabled=true" })
@DirtiesContext
class MonitoringTests {

	private static final RedisServer redis = RedisServer.start();

	private static final Path MONITORING = Documents.file("monitoring");

	private static final Pattern FAMILY = Pattern.compile("(?m)^# TYPE (resilient_session_\\w+)");

	private static final Pattern METRIC = Pattern.compile("\\b(?:resilient_session|resilience4j)_[a-z0-9_]+");

	/**
	 * A metric, and what is asked of its labels.
	 */
	private static final Pattern SELECTOR = Pattern.compile("(" + METRIC.pattern() + ")(\\{[^}]*\\})?");

	private static final Pattern LABEL = Pattern.compile("\\b[a-z]+=\"[^\"]+\"");

	@LocalServerPort
	private int port;

	private String shown;

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
	void visitAndLook() throws Exception {
		Visitor visitor = new Visitor(this.port);
		visitor.apiLogin("anna", "lasting");
		visitor.api("POST", "/api/cart/items", "{\"productId\": \"mug\", \"quantity\": 2}");
		redis.flushAll();
		assertThat(visitor.api("GET", "/api/cart").statusCode()).isEqualTo(200);
		visitor.api("POST", "/api/logout");
		this.shown = get("http://localhost:" + this.port + "/actuator/prometheus").body();
		assertThat(this.shown).contains("# HELP");
	}

	@Test
	void alerts_useMetricsThatExist() {
		List<Map<String, Object>> alerts = alerts();
		assertThat(alerts).hasSizeGreaterThan(10);
		assertThat(alerts).allSatisfy((alert) -> {
			assertThat(metrics((String) alert.get("expr"))).isNotEmpty();
			assertExists((String) alert.get("expr"));
		});
	}

	@Test
	void dashboard_usesMetricsThatExist() throws IOException {
		List<String> expressions = JsonMapper.shared()
			.readTree(Files.readString(MONITORING.resolve("dashboard.json")))
			.findValuesAsString("expr");
		assertThat(expressions).hasSizeGreaterThan(20).allSatisfy(this::assertExists);
	}

	@Test
	void reference_namesMetricsThatExist_andNoOther() throws IOException {
		String page = Files.readString(Documents.file("reference.md"));
		Set<String> named = new TreeSet<>();
		METRIC.matcher(page.substring(page.indexOf("## Metrics")))
			.results()
			.map(MatchResult::group)
			.forEach(named::add);
		assertThat(named).hasSizeGreaterThan(15)
			.allSatisfy((name) -> assertThat(this.shown).containsPattern("(?m)^" + name + "(?:_count)?[ {]"));
		assertThat(FAMILY.matcher(this.shown).results().map((family) -> family.group(1)).toList())
			.hasSizeGreaterThan(15)
			.allSatisfy((family) -> assertThat(named).anyMatch(family::startsWith));
	}

	@Test
	void alerts_eachHaveAPageInTheRunbook_andTests() throws IOException {
		String page = Files.readString(Documents.file("operations.md"));
		String tests = Files.readString(MONITORING.resolve("alerts-test.yml"));
		assertThat(alerts()).allSatisfy((alert) -> {
			String name = (String) alert.get("alert");
			assertThat(page).contains("\n### " + name + "\n");
			assertThat(alert.get("annotations")).extracting("runbook")
				.isEqualTo("docs/operations.md#" + name.toLowerCase(Locale.ROOT));
			assertThat(tests).contains("- name: " + name + "\n");
		});
	}

	@ParameterizedTest
	@ValueSource(strings = { "check rules alerts.yml", "test rules alerts-test.yml" })
	void promtool_findsNothingWrong(String arguments) throws Exception {
		Optional<Path> promtool = Programs.find("promtool");
		assumeTrue(promtool.isPresent(), "promtool is not installed (Debian's package prometheus has it)");
		List<String> command = new ArrayList<>(List.of(promtool.get().toString()));
		command.addAll(List.of(arguments.split(" ")));
		Process process = new ProcessBuilder(command).directory(MONITORING.toFile()).redirectErrorStream(true).start();
		String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
		assertThat(process.waitFor()).as(output).isZero();
		assertThat(output).contains("SUCCESS");
	}

	@Test
	void actuator_showsOnlyHealthToOtherMachines() throws Exception {
		Optional<InetAddress> address = ThisMachine.otherAddress();
		assumeTrue(address.isPresent(), "This machine has no address but that of itself");
		String base = "http://" + address.get().getHostAddress() + ":" + this.port + "/actuator/";
		assertThat(status(base + "health")).isEqualTo(200);
		assertThat(status(base + "prometheus")).isEqualTo(403);
		assertThat(status(base + "resilientsession")).isEqualTo(403);
	}

	@ParameterizedTest
	@ValueSource(strings = { "X-Forwarded-For: 192.0.2.1", "Forwarded: for=192.0.2.1" })
	void actuator_showsOnlyHealthToWhatComesThroughALoadBalancer(String header) throws Exception {
		String[] parts = header.split(": ");
		for (Map.Entry<String, Integer> page : Map.of("health", 200, "prometheus", 403, "resilientsession", 403)
			.entrySet()) {
			HttpRequest request = HttpRequest
				.newBuilder(URI.create("http://localhost:" + this.port + "/actuator/" + page.getKey()))
				.header(parts[0], parts[1])
				.build();
			assertThat(HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.discarding()).statusCode())
				.as(page.getKey())
				.isEqualTo(page.getValue());
		}
	}

	@Test
	void actuator_setsNoCookie() {
		assertThat(new Visitor(this.port).get("/actuator/health").headers().allValues("Set-Cookie")).isEmpty();
	}

	/**
	 * Every metric is shown with the labels that are asked for.
	 */
	private void assertExists(String expression) {
		SELECTOR.matcher(expression).results().forEach((selector) -> {
			String labels = (selector.group(2) != null) ? selector.group(2) : "";
			List<String> wanted = LABEL.matcher(labels).results().map(MatchResult::group).toList();
			assertThat(this.shown.lines()).as(selector.group())
				.anyMatch((line) -> line.startsWith(selector.group(1)) && wanted.stream().allMatch(line::contains));
		});
	}

	private static Set<String> metrics(String expression) {
		Set<String> names = new TreeSet<>();
		METRIC.matcher(expression).results().map(MatchResult::group).forEach(names::add);
		return names;
	}

	private static List<Map<String, Object>> alerts() {
		try {
			Map<String, List<Map<String, List<Map<String, Object>>>>> file = new Yaml()
				.load(Files.readString(MONITORING.resolve("alerts.yml")));
			return file.get("groups").get(0).get("rules");
		}
		catch (IOException ex) {
			throw new IllegalStateException(ex);
		}
	}

	private static int status(String uri) throws IOException, InterruptedException {
		return get(uri).statusCode();
	}

	private static HttpResponse<String> get(String uri) throws IOException, InterruptedException {
		return HttpClient.newHttpClient()
			.send(HttpRequest.newBuilder(URI.create(uri)).build(), HttpResponse.BodyHandlers.ofString());
	}

}

package io.github.resilientsession.sample;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.StreamSupport;

import org.junit.jupiter.api.Test;
import org.yaml.snakeyaml.Yaml;

import org.springframework.boot.SpringApplication;
import org.springframework.boot.web.server.servlet.context.ServletWebServerApplicationContext;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.util.unit.DataSize;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

/**
 * Tests for the examples in {@code docs/deploy}: they can be read, and do what the docs
 * recommend.
 */
class DeploymentExamplesTests {

	private static final Path DEPLOY = Documents.file("deploy");

	@Test
	void compose_givesSessionsARedisOfTheirOwn_thatEvictsNobodyAndHasRoom() throws IOException {
		Map<String, Object> services = at(yaml(DEPLOY.resolve("compose.yaml")).get(0), "services");
		Map<String, Object> sessions = at(services, "redis-sessions");
		List<String> command = at(sessions, "command");
		assertThat(option(command, "--maxmemory-policy")).isEqualTo("noeviction");
		DataSize limit = size(at(sessions, "mem_limit"));
		assertThat(size(option(command, "--maxmemory")).toBytes()).isLessThanOrEqualTo(limit.toBytes() * 6 / 10);
		Map<String, Object> cache = at(services, "redis-cache");
		assertThat(option(at(cache, "command"), "--maxmemory-policy")).isEqualTo("allkeys-lru");
		for (String node : List.of("node-one", "node-two", "node-three")) {
			Map<String, String> environment = at(at(services, node), "environment");
			assertThat(environment.get("SPRING_DATA_REDIS_URL")).contains("redis-sessions");
			assertThat(size(environment.get("RESILIENT_SESSION_DOCTOR_MEMORY_LIMIT"))).isEqualTo(limit);
		}
	}

	@Test
	void kubernetes_limitsAgreeWithTheDoctor() throws IOException {
		Map<String, Object> redis = container("redis-sessions.yaml");
		List<String> args = at(redis, "args");
		DataSize limit = size(at(at(at(redis, "resources"), "limits"), "memory"));
		assertThat(option(args, "--maxmemory-policy")).isEqualTo("noeviction");
		assertThat(size(option(args, "--maxmemory")).toBytes()).isLessThanOrEqualTo(limit.toBytes() * 6 / 10);
		List<Map<String, Object>> environment = at(container("shop.yaml"), "env");
		assertThat(environment).anySatisfy((variable) -> {
			assertThat(variable.get("name")).isEqualTo("RESILIENT_SESSION_DOCTOR_MEMORY_LIMIT");
			assertThat(size((String) variable.get("value"))).isEqualTo(limit);
		});
	}

	@Test
	void kubernetes_probesHaveNoStoreInThem() throws IOException {
		Map<String, Object> shop = container("shop.yaml");
		for (Map.Entry<String, String> probe : Map
			.of("livenessProbe", "liveness", "readinessProbe", "readiness", "startupProbe", "liveness")
			.entrySet()) {
			Map<String, Object> get = at(at(shop, probe.getKey()), "httpGet");
			assertThat(get.get("path")).isEqualTo("/actuator/health/" + probe.getValue());
		}
		Map<String, Object> service = at(yaml(DEPLOY.resolve("kubernetes/shop.yaml")).get(1), "spec");
		assertThat(service.get("sessionAffinity")).isEqualTo("None");
	}

	@Test
	void haproxy_hasNoAffinity_andAsksForReadiness() throws IOException {
		String configuration = Files.readString(DEPLOY.resolve("haproxy.cfg"));
		assertThat(configuration.lines().map(String::strip)).noneMatch((line) -> line.startsWith("cookie "))
			.contains("http-check send meth GET uri /actuator/health/readiness", "retry-on conn-failure")
			.anyMatch((line) -> line.startsWith("default-server check ") && line.contains(" fall 2 rise 2 "));
	}

	@Test
	void haproxy_saysWhoAskedAndHow_andKeepsTheActuatorInside() throws IOException {
		assertThat(Files.readString(DEPLOY.resolve("haproxy.cfg")).lines().map(String::strip)).contains(
				"http-request set-header X-Forwarded-For %[src]",
				"http-request set-header X-Forwarded-Proto https if { ssl_fc }",
				"http-request set-header X-Forwarded-Proto http unless { ssl_fc }",
				"http-request del-header X-Forwarded-Host",
				"http-request deny deny_status 404 if { path_beg /actuator }");
	}

	@Test
	void haproxy_findsNothingWrong() throws Exception {
		Optional<Path> haproxy = Programs.find("haproxy");
		assumeTrue(haproxy.isPresent(), "HAProxy is not installed (Debian's package haproxy)");
		ProcessBuilder check = new ProcessBuilder(haproxy.get().toString(), "-c", "-f",
				DEPLOY.resolve("haproxy.cfg").toString())
			.redirectErrorStream(true);
		check.environment()
			.putAll(Map.of("SHOP_BIND", "127.0.0.1:8080", "SHOP_NODE_ONE", "127.0.0.1:8081", "SHOP_NODE_TWO",
					"127.0.0.1:8082", "SHOP_NODE_THREE", "127.0.0.1:8083"));
		Process process = check.start();
		String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
		assertThat(process.waitFor()).as(output).isZero();
		assertThat(output).contains("Configuration file is valid").doesNotContain("[WARNING]", "[ALERT]");
	}

	@Test
	void node_behindTls_marksItsCookieSecure() throws Exception {
		try (ConfigurableApplicationContext shop = SpringApplication.run(ShopApplication.class, "--server.port=0",
				"--server.forward-headers-strategy=native")) {
			int port = ((ServletWebServerApplicationContext) shop).getWebServer().getPort();
			for (String protocol : List.of("http", "https")) {
				HttpRequest login = HttpRequest.newBuilder(URI.create("http://localhost:" + port + "/api/login"))
					.header("Content-Type", "application/json")
					.header("X-Forwarded-Proto", protocol)
					.POST(BodyPublishers.ofString("{\"username\": \"anna\", \"password\": \"lasting\"}"))
					.build();
				String cookie = HttpClient.newHttpClient()
					.send(login, BodyHandlers.discarding())
					.headers()
					.firstValue("Set-Cookie")
					.orElseThrow();
				assertThat(cookie.contains("; Secure")).as(cookie).isEqualTo(protocol.equals("https"));
			}
		}
	}

	private static Map<String, Object> container(String file) throws IOException {
		Map<String, Object> deployment = yaml(DEPLOY.resolve("kubernetes").resolve(file)).get(0);
		assertThat(deployment.get("kind")).isEqualTo("Deployment");
		List<Map<String, Object>> containers = at(at(at(at(deployment, "spec"), "template"), "spec"), "containers");
		return containers.get(0);
	}

	private static List<Map<String, Object>> yaml(Path file) throws IOException {
		List<Map<String, Object>> documents = new ArrayList<>();
		String text = Files.readString(file);
		StreamSupport.stream(new Yaml().loadAll(text).spliterator(), false)
			.forEach((document) -> documents.add(cast(document)));
		return documents;
	}

	private static String option(List<String> words, String name) {
		return words.get(words.indexOf(name) + 1);
	}

	private static DataSize size(String text) {
		Matcher parts = Pattern.compile("(\\d+)(?:Mi|mb|m|MB)").matcher(text);
		assertThat(parts.matches()).as(text).isTrue();
		return DataSize.ofMegabytes(Long.parseLong(parts.group(1)));
	}

	private static <T> T at(Map<String, Object> map, String key) {
		assertThat(map).containsKey(key);
		return cast(map.get(key));
	}

	@SuppressWarnings("unchecked")
	private static <T> T cast(Object value) {
		return (T) value;
	}

}

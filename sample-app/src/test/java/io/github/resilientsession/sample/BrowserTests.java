package io.github.resilientsession.sample;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.function.BooleanSupplier;

import io.github.resilientsession.testsupport.RedisServer;
import org.assertj.core.api.InstanceOfAssertFactories;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.extension.ExtendWith;
import org.openqa.selenium.By;
import org.openqa.selenium.Cookie;
import org.openqa.selenium.JavascriptExecutor;
import org.openqa.selenium.Keys;
import org.openqa.selenium.OutputType;
import org.openqa.selenium.TakesScreenshot;
import org.openqa.selenium.WebDriver;
import org.openqa.selenium.WebElement;
import org.openqa.selenium.chrome.ChromeDriver;
import org.openqa.selenium.chrome.ChromeDriverService;
import org.openqa.selenium.chrome.ChromeOptions;
import org.openqa.selenium.chromium.ChromiumDriver;
import org.openqa.selenium.logging.LogEntry;
import org.openqa.selenium.logging.LogType;

import org.springframework.boot.SpringApplication;
import org.springframework.boot.test.system.CapturedOutput;
import org.springframework.boot.test.system.OutputCaptureExtension;
import org.springframework.boot.web.server.servlet.context.ServletWebServerApplicationContext;
import org.springframework.context.ConfigurableApplicationContext;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

/**
 * The demo in a real Chromium.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
@ExtendWith(OutputCaptureExtension.class)
class BrowserTests {

	private static final Duration LONG = Duration.ofSeconds(30);

	private static final int MORE_PAGES_THAN_MAY_BE = 40;

	private static final String COPY = "spring:session:sessions:";

	private ConfigurableApplicationContext shop;

	private WebDriver browser;

	private String url;

	@BeforeAll
	void start() {
		Optional<Path> chromium = Programs.find("chromium");
		Optional<Path> driver = Programs.find("chromedriver");
		assumeTrue(chromium.isPresent() && driver.isPresent(),
				"Chromium is not installed (Debian's packages chromium and chromium-driver)");
		this.shop = SpringApplication.run(ShopApplication.class, "--server.port=0");
		this.url = "http://localhost:" + ((ServletWebServerApplicationContext) this.shop).getWebServer().getPort();
		ChromeOptions options = new ChromeOptions();
		options.setBinary(chromium.get().toFile());
		options.addArguments("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1200,1600");
		this.browser = new ChromeDriver(
				new ChromeDriverService.Builder().usingDriverExecutable(driver.get().toFile()).build(), options);
		this.browser.manage().timeouts().implicitlyWait(Duration.ofSeconds(5));
	}

	@AfterAll
	void stop() {
		if (this.browser != null) {
			this.browser.quit();
		}
		if (this.shop != null) {
			this.shop.close();
		}
	}

	/**
	 * No error on the page, and no stack trace in the log.
	 */
	@AfterEach
	void assertNothingWrong(CapturedOutput output) {
		assertThat(errors()).isEmpty();
		assertThat(output.getAll().lines().filter((line) -> line.startsWith("\tat "))).isEmpty();
	}

	@Test
	void visitor_goesOnShopping_whileRedisIsKilled_andStaysLoggedOut_whenItComesBackFromAnOldSnapshot(
			CapturedOutput output) {
		logIn();
		fillCart(1);
		openControlRoom();
		// What other tests have left to do is done: nothing but this visitor writes.
		await().atMost(LONG).until(() -> text("redis-more").equals("breaker closed") && state("pending").equals("0"));
		List<String> copies = this.shop.getBean(RedisServer.class).keys(COPY + "*");
		assertThat(copies).contains(COPY + sessionId());
		press("Kill Redis");
		await().atMost(LONG).until(() -> !state("redis").equals("up"));
		this.browser.get(this.url + "/cart");
		assertThat(cartCount()).isEqualTo(1);
		fillCart(2);
		this.browser.findElement(By.xpath("//button[text()='Log out']")).click();
		openControlRoom();
		press("Restart with old snapshot");
		// All of them, so also the one that has ended: else there would be nothing to
		// resurrect.
		assertThat(output).contains("Redis is back with the sessions of a snapshot: " + copies.size() + "\n");
		await().atMost(LONG).until(() -> state("redis").equals("up"));
		this.browser.get(this.url + "/cart");
		assertThat(this.browser.getCurrentUrl()).endsWith("/login");
	}

	@Test
	void everyButton_doesWhatItSays_andAllIsWellAfterwards() {
		Map<String, BooleanSupplier> signs = Map.of("Flush Redis", this::redisLostSessions, "Kill Redis",
				() -> !state("redis").equals("up"), "Pause Redis", () -> !state("redis").equals("up"),
				"Restart Redis empty", this::redisLostSessions, "Restart with old snapshot",
				() -> text("redis-more").contains("compared"), "Fill the memory",
				() -> text("findings").contains("full"), "Evict sessions",
				() -> text("findings").contains("allkeys-lru"), "Stop the database",
				() -> !state("durable").equals("up"), "Mend everything", () -> true);
		logIn();
		openControlRoom();
		press("200 visits per second");
		List<String> faults = buttons("[data-fault]");
		assertThat(faults).containsExactlyInAnyOrderElementsOf(signs.keySet());
		for (String fault : faults) {
			press(fault);
			await(fault).atMost(LONG).until(() -> signs.get(fault).getAsBoolean());
			takePicture(fault);
			press("Mend everything");
			await(fault).atMost(LONG).until(() -> state("redis").equals("up") && state("durable").equals("up"));
		}
		for (String load : buttons("[data-load]")) {
			press(load);
		}
		press("Nobody");
		assertThat(state("absent")).isEqualTo("0");
		this.browser.get(this.url + "/");
		assertThat(this.browser.findElement(By.className("user")).getText()).contains("anna");
	}

	@Test
	void controlRoom_showsWhereOnesSessionIs() {
		logIn();
		openControlRoom();
		await().atMost(LONG).until(() -> state("own").equals("Redis"));
		assertThat(text("own-more")).matches("version \\d+, \\d+ s to live in Redis");
		press("Kill Redis");
		await().atMost(LONG).until(() -> state("own").equals("the database"));
		assertThat(text("own-more")).matches("version \\d+, not in Redis");
		press("Mend everything");
		await().atMost(LONG).until(() -> state("own").equals("Redis"));
	}

	@Test
	void controlRoom_saysInWords_whatItsButtonsDo_andItsChartsShow() {
		logIn();
		openControlRoom();
		for (WebElement button : this.browser.findElements(By.cssSelector("[data-fault]"))) {
			assertThat(text(button.getDomAttribute("aria-describedby"))).isNotEmpty();
		}
		press("50 visits per second");
		await().atMost(LONG).until(() -> text("reads-now").matches("Redis [1-9]\\d*, the database \\d+, nobody 0"));
		await().atMost(LONG).until(() -> text("latency-now").matches("\\d+(\\.\\d+)?"));
		assertThat(text("transactions-now")).matches("\\d+");
		assertThat(text("connections-now")).matches("\\d+");
		press("Nobody");
	}

	@Test
	void controlRoom_asksAgain_afterItWasRefused() throws Exception {
		HttpClient client = HttpClient.newHttpClient();
		HttpRequest request = HttpRequest.newBuilder(URI.create(this.url + "/control/events")).build();
		List<CompletableFuture<HttpResponse<InputStream>>> others = new ArrayList<>();
		for (int i = 0; i < MORE_PAGES_THAN_MAY_BE; i++) {
			others.add(client.sendAsync(request, HttpResponse.BodyHandlers.ofInputStream()));
		}
		try {
			assertThat(others).anyMatch((other) -> other.join().statusCode() == 503);
			this.browser.get(this.url + "/control");
			await().atMost(LONG).until(() -> text("said").endsWith("trying again."));
		}
		finally {
			for (CompletableFuture<HttpResponse<InputStream>> other : others) {
				other.get().body().close();
			}
		}
		await().atMost(LONG).until(() -> text("said").equals("Press a button, and watch."));
		// The browser tells of each refusal, as it should: not to be found afterwards.
		assertThat(errors()).isNotEmpty().allMatch((error) -> error.contains("/control/events"));
	}

	@Test
	void controlRoom_fitsAPhone_andTheDark_andAsksNobodyElse() {
		logIn();
		ChromiumDriver chromium = (ChromiumDriver) this.browser;
		chromium.executeCdpCommand("Emulation.setDeviceMetricsOverride",
				Map.of("width", 360, "height", 740, "deviceScaleFactor", 2, "mobile", true));
		chromium.executeCdpCommand("Emulation.setEmulatedMedia",
				Map.of("features", List.of(Map.of("name", "prefers-color-scheme", "value", "dark"))));
		try {
			openControlRoom();
			press("50 visits per second");
			await().atMost(LONG).until(() -> text("hit-rate").endsWith("%"));
			takePicture("phone in the dark");
			assertThat(asks("return document.documentElement.scrollWidth <= window.innerWidth")).isEqualTo(true);
			assertThat(asks("return getComputedStyle(document.body).backgroundColor")).isEqualTo("rgb(23, 24, 22)");
			assertThat(asks("return performance.getEntriesByType('resource').map((it) => it.name)"))
				.asInstanceOf(InstanceOfAssertFactories.list(String.class))
				.hasSizeGreaterThan(3)
				.allMatch((address) -> address.startsWith(this.url));
			press("Nobody");
		}
		finally {
			chromium.executeCdpCommand("Emulation.clearDeviceMetricsOverride", Map.of());
			chromium.executeCdpCommand("Emulation.setEmulatedMedia", Map.of("features", List.of()));
		}
	}

	@Test
	void controlRoom_isUsedByKeyboard() {
		logIn();
		openControlRoom();
		WebElement flush = this.browser.findElement(By.cssSelector("[data-fault=FLUSH]"));
		for (int i = 0; i < 10 && !this.browser.switchTo().activeElement().equals(flush); i++) {
			this.browser.switchTo().activeElement().sendKeys(Keys.TAB);
		}
		assertThat(this.browser.switchTo().activeElement()).isEqualTo(flush);
		assertThat(flush.getCssValue("outline-style")).isEqualTo("solid");
		flush.sendKeys(Keys.ENTER);
		await().atMost(LONG).until(() -> text("said").startsWith("Flush Redis"));
	}

	/**
	 * The errors since the last call.
	 */
	private List<String> errors() {
		return this.browser.manage().logs().get(LogType.BROWSER).getAll().stream().map(LogEntry::getMessage).toList();
	}

	private Object asks(String script) {
		return ((JavascriptExecutor) this.browser).executeScript(script);
	}

	private void takePicture(String name) {
		byte[] picture = ((TakesScreenshot) this.browser).getScreenshotAs(OutputType.BYTES);
		try {
			Path file = Path.of("target", "pictures", name.toLowerCase(Locale.ROOT).replace(' ', '-') + ".png");
			Files.createDirectories(file.getParent());
			Files.write(file, picture);
		}
		catch (IOException ex) {
			throw new UncheckedIOException(ex);
		}
	}

	private void logIn() {
		this.browser.manage().deleteAllCookies();
		this.browser.get(this.url + "/login");
		this.browser.findElement(By.name("username")).sendKeys("anna");
		this.browser.findElement(By.name("password")).sendKeys("lasting");
		this.browser.findElement(By.cssSelector("main form button")).click();
		await().atMost(LONG).until(() -> !this.browser.findElements(By.className("user")).isEmpty());
	}

	/**
	 * As the cookie has it, which is not to be seen by the page's scripts.
	 */
	private String sessionId() {
		Cookie cookie = this.browser.manage().getCookieNamed("SESSION");
		assertThat(cookie).isNotNull();
		return new String(Base64.getDecoder().decode(cookie.getValue()), StandardCharsets.UTF_8);
	}

	private void fillCart(int expected) {
		this.browser.get(this.url + "/");
		this.browser.findElement(By.cssSelector(".products form button")).click();
		await().atMost(LONG).until(() -> cartCount() == expected);
	}

	private int cartCount() {
		return Integer.parseInt(this.browser.findElement(By.className("count")).getText());
	}

	private void openControlRoom() {
		this.browser.get(this.url + "/control");
		await().atMost(LONG).until(() -> !state("redis").equals("–"));
	}

	private List<String> buttons(String selector) {
		return this.browser.findElements(By.cssSelector(selector)).stream().map(WebElement::getText).toList();
	}

	private boolean redisLostSessions() {
		return text("misses").contains("lost") || text("redis-more").contains("compared");
	}

	private void press(String label) {
		this.browser.findElement(By.xpath("//button[text()='" + label + "']")).click();
		await().atMost(LONG).until(() -> text("said").startsWith(label));
	}

	private String state(String id) {
		return text(id);
	}

	private String text(String id) {
		return this.browser.findElement(By.id(id)).getText();
	}

}

package io.github.resilientsession.sample;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Stream;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Tests for the documentation: what it points to is there.
 */
class DocumentationTests {

	private static final Path ROOT = Documents.root();

	private static final Pattern LINK = Pattern.compile("\\]\\(([^)\\s]+)\\)");

	private static final Pattern HEADING = Pattern.compile("(?m)^#{1,4} (.+)$");

	private static final Pattern FENCED = Pattern.compile("(?ms)^ *```.*?^ *```");

	private static final Pattern TEST_CLASS = Pattern.compile("`(\\w+Tests)`");

	private static final Pattern TEST_METHOD = Pattern.compile("`([a-z]\\w*_\\w+)`");

	private static final String TESTS = tests();

	@ParameterizedTest
	@MethodSource("pages")
	void links_leadSomewhere(Path page) throws IOException {
		for (String link : all(LINK, FENCED.matcher(Files.readString(page)).replaceAll(""))) {
			if (link.matches("https?://.*")) {
				continue;
			}
			String[] parts = link.split("#", 2);
			Path target = parts[0].isEmpty() ? page : page.resolveSibling(parts[0]).normalize();
			assertThat(target).as("%s in %s", link, page).exists();
			if (parts.length > 1) {
				assertThat(anchors(target)).as("%s in %s", link, page).contains(parts[1]);
			}
		}
	}

	@ParameterizedTest
	@MethodSource("pages")
	void tests_thatAreNamed_exist(Path page) throws IOException {
		String text = Files.readString(page);
		assertThat(all(TEST_CLASS, text)).allSatisfy((name) -> assertThat(TESTS).contains("class " + name + " "));
		if (page.getParent().endsWith("features")) {
			assertThat(all(TEST_METHOD, text.substring(text.indexOf("## Shown by"))))
				.allSatisfy((name) -> assertThat(TESTS).contains("void " + name + "("));
		}
	}

	private static List<String> all(Pattern pattern, String text) {
		return pattern.matcher(text).results().map((result) -> result.group(1)).toList();
	}

	/**
	 * The anchors of a page's headings, as GitHub names them.
	 */
	private static Set<String> anchors(Path page) throws IOException {
		Set<String> anchors = new HashSet<>();
		HEADING.matcher(FENCED.matcher(Files.readString(page)).replaceAll(""))
			.results()
			.map((MatchResult heading) -> heading.group(1)
				.toLowerCase(Locale.ROOT)
				.replaceAll("[^\\w\\- ]", "")
				.replace(' ', '-'))
			.forEach(anchors::add);
		return anchors;
	}

	static Stream<Path> pages() throws IOException {
		try (Stream<Path> docs = Files.walk(ROOT.resolve("docs"))) {
			List<Path> pages = docs.filter((file) -> file.toString().endsWith(".md")).toList();
			return Stream.concat(pages.stream(),
					Stream.of(ROOT.resolve("README.md"), ROOT.resolve("sample-app/README.md")));
		}
	}

	private static String tests() {
		StringBuilder sources = new StringBuilder();
		try (Stream<Path> files = Files.walk(ROOT)) {
			for (Path file : files.filter((it) -> it.toString().contains("src/test/java"))
				.filter((it) -> it.toString().endsWith(".java"))
				.toList()) {
				sources.append(Files.readString(file));
			}
		}
		catch (IOException ex) {
			throw new IllegalStateException(ex);
		}
		return sources.toString();
	}

}

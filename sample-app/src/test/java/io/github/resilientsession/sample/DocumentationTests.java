package io.github.resilientsession.sample;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.MatchResult;
import java.util.regex.Matcher;
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

	private static final Pattern TEST_CLASS = Pattern.compile("`([A-Z]\\w+Tests)`");

	private static final Pattern TEST_CLASS_OR_METHOD = Pattern.compile("`([A-Z]\\w+Tests|[a-z]\\w*_\\w+)`");

	private static final Pattern SUPERCLASS = Pattern.compile("(?m)^[\\w ]*class \\w+ extends (\\w+)");

	/**
	 * The sources of the tests, by the names of their classes.
	 */
	private static final Map<String, String> TESTS = tests();

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
		assertThat(all(TEST_CLASS, Files.readString(page))).allSatisfy((name) -> assertThat(TESTS).containsKey(name));
	}

	@ParameterizedTest
	@MethodSource("features")
	void feature_isShownByTests_ofTheClassesItNames(Path page) throws IOException {
		String text = Files.readString(page);
		assertThat(text).contains("## Shown by");
		String testClass = null;
		int methods = 0;
		for (String name : all(TEST_CLASS_OR_METHOD, text.substring(text.indexOf("## Shown by")))) {
			if (name.endsWith("Tests")) {
				testClass = name;
				continue;
			}
			assertThat(testClass).as("The class of %s in %s", name, page).isNotNull();
			assertThat(family(testClass)).as("%s of %s in %s", name, testClass, page)
				.anyMatch((source) -> hasTest(source, name));
			methods++;
		}
		assertThat(methods).as("Tests in %s", page).isPositive();
	}

	/**
	 * The source of a class, those that it inherits tests from, and those that inherit
	 * its tests.
	 */
	private static List<String> family(String testClass) {
		List<String> family = new ArrayList<>();
		for (String name = testClass; TESTS.containsKey(name); name = superclass(TESTS.get(name))) {
			family.add(TESTS.get(name));
		}
		TESTS.values().stream().filter((source) -> superclass(source).equals(testClass)).forEach(family::add);
		return family;
	}

	private static String superclass(String source) {
		Matcher superclass = SUPERCLASS.matcher(source);
		return superclass.find() ? superclass.group(1) : "";
	}

	private static boolean hasTest(String source, String method) {
		int start = source.indexOf("void " + method + "(");
		if (start < 0) {
			return false;
		}
		// Annotations are between the method and the empty line before it.
		String before = source.substring(source.lastIndexOf("\n\n", start), start);
		return before.contains("@Test\n") || before.contains("@ParameterizedTest");
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

	static Stream<Path> features() throws IOException {
		return pages().filter((page) -> page.getParent().endsWith("features"));
	}

	private static Map<String, String> tests() {
		Map<String, String> sources = new TreeMap<>();
		try (Stream<Path> files = Files.walk(ROOT)) {
			for (Path file : files.filter((it) -> it.toString().contains("src/test/java"))
				.filter((it) -> it.toString().endsWith("Tests.java"))
				.toList()) {
				sources.put(file.getFileName().toString().replace(".java", ""), Files.readString(file));
			}
		}
		catch (IOException ex) {
			throw new IllegalStateException(ex);
		}
		return sources;
	}

}

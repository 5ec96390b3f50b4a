package io.github.resilientsession.autoconfigure;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Tests for the table of properties in docs/reference.md, against the metadata made from
 * the code.
 */
class PropertiesReferenceTests {

	private static final String PREFIX = "resilient-session.";

	private static final Pattern CODE = Pattern.compile("`([^`]+)`");

	@Test
	void reference_listsEveryPropertyAndNoOther() throws IOException {
		Set<String> documented = new TreeSet<>();
		for (String row : rows()) {
			documented.addAll(names(row));
		}
		Set<String> existing = new TreeSet<>();
		properties().forEach((property) -> existing.add(name(property)));
		assertThat(documented).containsExactlyElementsOf(existing);
	}

	@Test
	void reference_tellsTheDefaults() throws IOException {
		for (JsonNode property : properties()) {
			String value = property.path("defaultValue").asString("");
			if (!value.isEmpty()) {
				assertThat(rows()).as(property.path("name").asString())
					.filteredOn((row) -> names(row).contains(name(property)))
					.allSatisfy((row) -> assertThat(row.split("\\|")[2].strip()).isEqualTo("`" + value + "`"));
			}
		}
	}

	@Test
	void properties_inTheMetadata_haveADescription() throws IOException {
		assertThat(properties()).allSatisfy(
				(property) -> assertThat(property.path("description").asString("")).as(property.path("name").asString())
					.isNotEmpty());
	}

	/**
	 * Those of the product: the metadata has those of Spring Boot for the endpoint too.
	 */
	private static List<JsonNode> properties() throws IOException {
		try (InputStream in = ResilientSessionProperties.class
			.getResourceAsStream("/META-INF/spring-configuration-metadata.json")) {
			return JsonMapper.shared()
				.readTree(in)
				.path("properties")
				.valueStream()
				.filter((property) -> property.path("name").asString().startsWith(PREFIX))
				.toList();
		}
	}

	private static String name(JsonNode property) {
		return property.path("name").asString().substring(PREFIX.length());
	}

	/**
	 * The rows of the table, found wherever the tests are started.
	 */
	private static Set<String> rows() throws IOException {
		Path directory = Path.of("").toAbsolutePath();
		while (!Files.exists(directory.resolve("docs/reference.md"))) {
			directory = directory.getParent();
		}
		String reference = Files.readString(directory.resolve("docs/reference.md"));
		String table = reference.substring(reference.indexOf("\n## Properties"), reference.indexOf("\n## Spring"));
		Set<String> rows = new LinkedHashSet<>();
		table.lines().filter((line) -> line.startsWith("| `")).forEach(rows::add);
		return rows;
	}

	/**
	 * The names in a row's first cell, where ".username" continues "datasource.url".
	 */
	private static Set<String> names(String row) {
		Set<String> names = new LinkedHashSet<>();
		String group = "";
		Matcher matcher = CODE.matcher(row.split("\\|")[1]);
		while (matcher.find()) {
			String name = matcher.group(1);
			names.add(name.startsWith(".") ? group + name : name);
			group = name.startsWith(".") ? group : name.substring(0, Math.max(0, name.lastIndexOf('.')));
		}
		return names;
	}

}

package io.github.resilientsession.sample;

import java.nio.file.Path;
import java.util.List;

import org.junit.jupiter.api.io.TempDir;

/**
 * Tests for the shop with its sessions in H2.
 */
class H2SurvivalTests extends SurvivalTests {

	@TempDir
	private static Path data;

	@Override
	List<String> database() {
		return List.of("--spring.datasource.url=jdbc:h2:file:" + data.resolve("shop") + ";DB_CLOSE_ON_EXIT=FALSE",
				"--spring.datasource.username=sa");
	}

}

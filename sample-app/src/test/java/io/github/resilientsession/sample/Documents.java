package io.github.resilientsession.sample;

import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Where the documentation is.
 */
public final class Documents {

	private Documents() {
	}

	/**
	 * The root of the repository, wherever the tests are started.
	 * @return an absolute path
	 */
	public static Path root() {
		Path directory = Path.of("").toAbsolutePath();
		while (!Files.exists(directory.resolve("docs"))) {
			directory = directory.getParent();
		}
		return directory;
	}

	/**
	 * A file of the documentation.
	 * @param path below {@code docs}
	 * @return an absolute path
	 */
	public static Path file(String path) {
		return root().resolve("docs").resolve(path);
	}

}

package io.github.resilientsession.sample;

import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * Programs that may be installed or not.
 */
public final class Programs {

	private Programs() {
	}

	/**
	 * Look where the shell would, and where Debian has servers.
	 * @param name the program's name
	 * @return the program, if it is installed
	 */
	public static Optional<Path> find(String name) {
		return Pattern.compile(File.pathSeparator)
			.splitAsStream(System.getenv("PATH") + File.pathSeparator + "/usr/sbin")
			.map((directory) -> Path.of(directory, name))
			.filter(Files::isExecutable)
			.findFirst();
	}

}

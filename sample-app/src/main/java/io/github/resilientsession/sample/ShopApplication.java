package io.github.resilientsession.sample;

import java.nio.file.Path;
import java.util.Map;

import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.boot.system.ApplicationHome;

/**
 * The shop, on port 8080 unless told otherwise.
 */
@SpringBootApplication
class ShopApplication {

	public static void main(String[] args) {
		SpringApplication application = new SpringApplication(ShopApplication.class);
		application.setDefaultProperties(Map.of("shop.data-directory", dataDirectory().toString()));
		application.run(args);
	}

	/**
	 * A path relative to the working directory would give Maven, the IDE and
	 * {@code java -jar} a database each. So the directory is found from where the
	 * application itself lies: beside {@code target} in a build, else beside the jar.
	 */
	private static Path dataDirectory() {
		Path home = new ApplicationHome(ShopApplication.class).getDir().toPath();
		for (Path directory = home; directory != null; directory = directory.getParent()) {
			if (directory.endsWith("target")) {
				return directory.resolveSibling("data");
			}
		}
		return home.resolve("data");
	}

}

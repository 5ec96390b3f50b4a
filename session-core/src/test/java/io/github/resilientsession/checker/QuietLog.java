package io.github.resilientsession.checker;

import java.util.HashMap;
import java.util.List;
import java.util.Map;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps the log still until closed: under the checker's faults every layer complains, as
 * it should, thousands of times.
 */
final class QuietLog implements AutoCloseable {

	private final Map<Logger, Level> before = new HashMap<>();

	QuietLog() {
		for (String name : List.of(org.slf4j.Logger.ROOT_LOGGER_NAME, "io.github.resilientsession")) {
			Logger logger = (Logger) LoggerFactory.getLogger(name);
			this.before.put(logger, logger.getLevel());
			logger.setLevel(Level.OFF);
		}
	}

	@Override
	public void close() {
		this.before.forEach(Logger::setLevel);
	}

}

package io.github.resilientsession.autoconfigure;

import java.util.List;

import io.github.resilientsession.SessionStoreUnavailableException;
import jakarta.servlet.http.HttpServletRequest;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

import org.springframework.web.servlet.FlashMap;
import org.springframework.web.servlet.support.SessionFlashMapManager;

/**
 * Does without flash attributes when no store can answer. Spring MVC looks for them in
 * the session of every request that carries a cookie, so that otherwise no public page
 * could be served.
 */
final class TolerantFlashMapManager extends SessionFlashMapManager {

	private static final Logger logger = LoggerFactory.getLogger(TolerantFlashMapManager.class);

	@Override
	protected @Nullable List<FlashMap> retrieveFlashMaps(HttpServletRequest request) {
		try {
			return super.retrieveFlashMaps(request);
		}
		catch (SessionStoreUnavailableException ex) {
			logger.debug("No flash attributes, since the session cannot be read", ex);
			return null;
		}
	}

}

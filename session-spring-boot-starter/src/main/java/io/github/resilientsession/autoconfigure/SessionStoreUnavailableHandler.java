package io.github.resilientsession.autoconfigure;

import java.io.IOException;

import io.github.resilientsession.SessionStoreUnavailableException;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;

/**
 * Writes the response to a request that needs its session while no store can answer.
 * Declare a bean of this type to replace the default response.
 */
@FunctionalInterface
public interface SessionStoreUnavailableHandler {

	/**
	 * Write the response. It has not been committed, its status is 503 and its
	 * {@code Retry-After} is set. Leave the session cookie as it is, and do not use the
	 * request's session.
	 * @param request the request
	 * @param response the response to write
	 * @param exception what happened
	 * @throws IOException if the response could not be written
	 */
	void handle(HttpServletRequest request, HttpServletResponse response, SessionStoreUnavailableException exception)
			throws IOException;

}

package io.github.resilientsession.sample;

import java.io.IOException;

import jakarta.servlet.http.HttpServletResponse;

import org.springframework.http.HttpStatus;
import org.springframework.http.MediaType;

/**
 * A problem that is answered before Spring MVC is reached, in the form that
 * {@link ApiErrors} gives to all others.
 */
final class ApiProblem {

	private ApiProblem() {
	}

	/**
	 * Write the whole response.
	 * @param response the response
	 * @param status its status
	 * @param detail a constant that needs no escaping in JSON
	 * @throws IOException if the client is gone
	 */
	static void write(HttpServletResponse response, HttpStatus status, String detail) throws IOException {
		response.setStatus(status.value());
		response.setContentType(MediaType.APPLICATION_PROBLEM_JSON_VALUE);
		response.getWriter()
			.write("{\"detail\":\"%s\",\"status\":%d,\"title\":\"%s\"}".formatted(detail, status.value(),
					status.getReasonPhrase()));
	}

}

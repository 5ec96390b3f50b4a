package io.github.resilientsession.autoconfigure;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.List;

import io.github.resilientsession.SessionStoreUnavailableException;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;

import org.springframework.http.HttpHeaders;
import org.springframework.http.InvalidMediaTypeException;
import org.springframework.http.MediaType;
import org.springframework.util.MimeTypeUtils;

/**
 * Answers with a short page to whoever prefers HTML, and with JSON to all others.
 */
final class DefaultSessionStoreUnavailableHandler implements SessionStoreUnavailableHandler {

	private static final String PAGE = """
			<!DOCTYPE html>
			<html lang="en">
			<head>
			<meta charset="utf-8">
			<meta name="viewport" content="width=device-width, initial-scale=1">
			<meta name="color-scheme" content="light dark">
			<title>One moment, please</title>
			<style>
			body { font: 1.1rem/1.5 system-ui, sans-serif; max-width: 34rem; margin: 15vh auto; padding: 0 1rem; }
			</style>
			</head>
			<body>
			<h1>One moment, please</h1>
			<p>Your session cannot be reached right now. This does not log you out.</p>
			<p>Please try again in about %d seconds.</p>
			</body>
			</html>
			""";

	private static final String JSON = """
			{"status":503,"error":"Service Unavailable","message":"Your session cannot be reached right now. This does \
			not end it: try again.","retryAfterSeconds":%d}
			""";

	@Override
	public void handle(HttpServletRequest request, HttpServletResponse response,
			SessionStoreUnavailableException exception) throws IOException {
		boolean html = prefersHtml(request.getHeader(HttpHeaders.ACCEPT));
		response.setContentType(html ? "text/html;charset=UTF-8" : "application/json");
		byte[] body = (html ? PAGE : JSON).formatted(exception.retryAfter().toSeconds())
			.getBytes(StandardCharsets.UTF_8);
		response.setContentLength(body.length);
		response.getOutputStream().write(body);
	}

	private static boolean prefersHtml(@org.jspecify.annotations.Nullable String accept) {
		if (accept == null) {
			return false;
		}
		try {
			List<MediaType> types = MediaType.parseMediaTypes(accept);
			MimeTypeUtils.sortBySpecificity(types);
			return quality(types, MediaType.TEXT_HTML) > quality(types, MediaType.APPLICATION_JSON);
		}
		catch (InvalidMediaTypeException ex) {
			return false;
		}
	}

	/**
	 * The quality of the most specific entry that includes a type.
	 */
	private static double quality(List<MediaType> accepted, MediaType type) {
		for (MediaType range : accepted) {
			if (range.includes(type)) {
				return range.getQualityValue();
			}
		}
		return 0;
	}

}

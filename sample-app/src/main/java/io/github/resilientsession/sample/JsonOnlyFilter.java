package io.github.resilientsession.sample;

import java.io.IOException;

import jakarta.servlet.FilterChain;
import jakarta.servlet.ServletException;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import org.jspecify.annotations.Nullable;

import org.springframework.http.HttpMethod;
import org.springframework.http.HttpStatus;
import org.springframework.http.InvalidMediaTypeException;
import org.springframework.http.MediaType;
import org.springframework.web.filter.OncePerRequestFilter;

/**
 * The API's protection against requests forged by other sites: a POST must say that it is
 * JSON.
 * <p>
 * A browser lets another site send a POST unasked only as a form or plain text. JSON, as
 * well as PUT and DELETE, it announces first with a preflight request, and as the shop
 * allows no other origin, that is where it ends. So a program needs no token, while a
 * forged request never gets here.
 */
class JsonOnlyFilter extends OncePerRequestFilter {

	@Override
	protected void doFilterInternal(HttpServletRequest request, HttpServletResponse response, FilterChain chain)
			throws ServletException, IOException {
		if (HttpMethod.POST.matches(request.getMethod()) && !isJson(request.getContentType())) {
			ApiProblem.write(response, HttpStatus.UNSUPPORTED_MEDIA_TYPE, "Send Content-Type: application/json");
			return;
		}
		chain.doFilter(request, response);
	}

	private static boolean isJson(@Nullable String contentType) {
		try {
			return contentType != null
					&& MediaType.parseMediaType(contentType).equalsTypeAndSubtype(MediaType.APPLICATION_JSON);
		}
		catch (InvalidMediaTypeException ex) {
			return false;
		}
	}

}

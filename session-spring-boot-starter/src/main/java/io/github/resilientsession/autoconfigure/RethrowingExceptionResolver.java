package io.github.resilientsession.autoconfigure;

import io.github.resilientsession.SessionStoreUnavailableException;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import org.jspecify.annotations.Nullable;

import org.springframework.core.Ordered;
import org.springframework.web.servlet.HandlerExceptionResolver;
import org.springframework.web.servlet.ModelAndView;

/**
 * Keeps the application's exception handlers, which often catch every exception and
 * answer 500, from handling a {@link SessionStoreUnavailableException}.
 */
final class RethrowingExceptionResolver implements HandlerExceptionResolver, Ordered {

	@Override
	public int getOrder() {
		return Ordered.HIGHEST_PRECEDENCE;
	}

	@Override
	public @Nullable ModelAndView resolveException(HttpServletRequest request, HttpServletResponse response,
			@Nullable Object handler, Exception ex) {
		SessionStoreUnavailableException unavailable = SessionStoreUnavailableFilter.unavailableIn(ex);
		if (unavailable != null) {
			throw unavailable;
		}
		return null;
	}

}

package io.github.resilientsession.autoconfigure;

import java.io.IOException;

import io.github.resilientsession.RequestScope;
import io.github.resilientsession.SessionStoreUnavailableException;
import jakarta.servlet.Filter;
import jakarta.servlet.FilterChain;
import jakarta.servlet.ServletException;
import jakarta.servlet.ServletRequest;
import jakarta.servlet.ServletResponse;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

import org.springframework.http.HttpHeaders;

/**
 * Turns a {@link SessionStoreUnavailableException} into a 503, and lets a request
 * remember its sessions. It writes the response itself: {@code sendError} would run the
 * filters again, and they would ask the stores again.
 */
final class SessionStoreUnavailableFilter implements Filter {

	private static final Logger logger = LoggerFactory.getLogger(SessionStoreUnavailableFilter.class);

	private static final String SCOPE = RequestScope.class.getName();

	private static final int MAX_CAUSES = 20;

	private final SessionStoreUnavailableHandler handler;

	SessionStoreUnavailableFilter(SessionStoreUnavailableHandler handler) {
		this.handler = handler;
	}

	@Override
	public void doFilter(ServletRequest request, ServletResponse response, FilterChain chain)
			throws IOException, ServletException {
		try (RequestScope.Binding binding = scopeOf(request).bind()) {
			chain.doFilter(request, response);
		}
		catch (IOException | ServletException | RuntimeException ex) {
			if (!answered(request, response, ex)) {
				throw ex;
			}
		}
	}

	private boolean answered(ServletRequest request, ServletResponse response, Exception ex) throws IOException {
		SessionStoreUnavailableException unavailable = unavailableIn(ex);
		if (unavailable == null || response.isCommitted()) {
			return false;
		}
		logger.debug("Answering 503", ex);
		HttpServletResponse http = (HttpServletResponse) response;
		http.resetBuffer();
		http.setStatus(HttpServletResponse.SC_SERVICE_UNAVAILABLE);
		http.setHeader(HttpHeaders.RETRY_AFTER, Long.toString(unavailable.retryAfter().toSeconds()));
		http.setHeader(HttpHeaders.CACHE_CONTROL, "no-store");
		this.handler.handle((HttpServletRequest) request, http, unavailable);
		return true;
	}

	private static RequestScope scopeOf(ServletRequest request) {
		RequestScope scope = (RequestScope) request.getAttribute(SCOPE);
		if (scope == null) {
			scope = new RequestScope();
			request.setAttribute(SCOPE, scope);
		}
		return scope;
	}

	static @Nullable SessionStoreUnavailableException unavailableIn(@Nullable Throwable failure) {
		Throwable current = failure;
		for (int i = 0; current != null && i < MAX_CAUSES; i++) {
			if (current instanceof SessionStoreUnavailableException unavailable) {
				return unavailable;
			}
			current = current.getCause();
		}
		return null;
	}

}

package io.github.resilientsession.autoconfigure;

import java.io.IOException;
import java.lang.reflect.Proxy;

import io.github.resilientsession.SessionStoreUnavailableException;
import jakarta.servlet.Filter;
import jakarta.servlet.FilterChain;
import jakarta.servlet.ServletException;
import jakarta.servlet.ServletRequest;
import jakarta.servlet.ServletResponse;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletRequestWrapper;
import jakarta.servlet.http.HttpSession;
import org.jspecify.annotations.Nullable;

/**
 * Lets a request hold a session that no store can answer for, as long as it does not use
 * it. Spring MVC and template engines ask every request for its session, also to render a
 * page that needs none: they get one whose use throws the
 * {@link SessionStoreUnavailableException}. So only who really needs the session gets a
 * 503. Comes inside of Spring Session's filter.
 */
final class UnreachableSessionFilter implements Filter {

	@Override
	public void doFilter(ServletRequest request, ServletResponse response, FilterChain chain)
			throws IOException, ServletException {
		chain.doFilter(new Request((HttpServletRequest) request), response);
	}

	/**
	 * The request, with a session that may be out of reach.
	 */
	private static final class Request extends HttpServletRequestWrapper {

		Request(HttpServletRequest request) {
			super(request);
		}

		@Override
		public @Nullable HttpSession getSession(boolean create) {
			try {
				return super.getSession(create);
			}
			catch (SessionStoreUnavailableException ex) {
				if (create) {
					throw ex;
				}
				return unreachable(ex);
			}
		}

		private HttpSession unreachable(SessionStoreUnavailableException ex) {
			return (HttpSession) Proxy.newProxyInstance(HttpSession.class.getClassLoader(),
					new Class<?>[] { HttpSession.class }, (session, method, args) -> switch (method.getName()) {
						case "getId" -> getRequestedSessionId();
						case "getServletContext" -> getServletContext();
						case "isNew" -> false;
						case "hashCode" -> System.identityHashCode(session);
						case "equals" -> session == args[0];
						case "toString" -> "A session that no store can answer for";
						default -> throw ex;
					});
		}

	}

}

package io.github.resilientsession.sample;

import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import jakarta.servlet.http.HttpSession;
import org.jspecify.annotations.Nullable;

import org.springframework.security.core.Authentication;
import org.springframework.security.core.context.SecurityContextHolder;
import org.springframework.security.web.authentication.session.SessionAuthenticationStrategy;
import org.springframework.stereotype.Component;

/**
 * The step of a login that takes away what somebody else left in the session.
 * <p>
 * The protection against session fixation keeps the attributes: without this step, Ben
 * logging in where Anna still was would find her cart and her last order.
 */
@Component
class ForeignCartRemoval implements SessionAuthenticationStrategy {

	private final Checkout checkout;

	ForeignCartRemoval(Checkout checkout) {
		this.checkout = checkout;
	}

	@Override
	public void onAuthentication(Authentication authentication, HttpServletRequest request,
			HttpServletResponse response) {
		@Nullable HttpSession session = request.getSession(false);
		if (session == null) {
			return;
		}
		@Nullable Authentication previous = SecurityContextHolder.getContext().getAuthentication();
		if (previous == null || !previous.getName().equals(authentication.getName())) {
			this.checkout.forget(session);
		}
	}

}

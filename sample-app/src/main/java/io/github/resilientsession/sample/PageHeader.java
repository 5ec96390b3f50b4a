package io.github.resilientsession.sample;

import java.security.Principal;

import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpSession;
import org.jspecify.annotations.Nullable;

import org.springframework.web.bind.annotation.ControllerAdvice;
import org.springframework.web.bind.annotation.ModelAttribute;

/**
 * What the header of every page shows: who is logged in and how much is in the cart.
 * <p>
 * For the shop's own pages only: error pages have no such header and so need no session
 * to be shown.
 */
@ControllerAdvice(assignableTypes = ShopPages.class)
class PageHeader {

	private final Checkout checkout;

	PageHeader(Checkout checkout) {
		this.checkout = checkout;
	}

	@ModelAttribute("user")
	@Nullable String user(@Nullable Principal principal) {
		return (principal != null) ? principal.getName() : null;
	}

	@ModelAttribute("cartCount")
	int cartCount(@Nullable Principal principal, HttpServletRequest request) {
		// Never getSession(true): whoever only looks around gets no session.
		@Nullable HttpSession session = (principal != null) ? request.getSession(false) : null;
		return (session != null) ? this.checkout.cart(session).count() : 0;
	}

}

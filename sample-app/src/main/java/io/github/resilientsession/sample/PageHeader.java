package io.github.resilientsession.sample;

import java.security.Principal;

import io.github.resilientsession.SessionStoreUnavailableException;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpSession;

import org.springframework.core.env.Environment;
import org.springframework.ui.Model;
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

	private final boolean demo;

	PageHeader(Checkout checkout, Environment environment) {
		this.checkout = checkout;
		this.demo = environment.matchesProfiles("demo");
	}

	@ModelAttribute
	void describe(HttpServletRequest request, Model model) {
		model.addAttribute("demo", this.demo);
		try {
			Principal principal = request.getUserPrincipal();
			if (principal != null) {
				// Never getSession(true): whoever only looks around gets no session.
				HttpSession session = request.getSession(false);
				model.addAttribute("user", principal.getName());
				model.addAttribute("cartCount", (session != null) ? this.checkout.cart(session).count() : 0);
			}
		}
		catch (SessionStoreUnavailableException ex) {
			// The catalogue can be shown all the same; what needs the session answers
			// 503 before it comes here.
			model.addAttribute("unreachable", true);
		}
	}

}

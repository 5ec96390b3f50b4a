package io.github.resilientsession.sample;

import jakarta.servlet.http.HttpSession;
import org.jspecify.annotations.Nullable;

import org.springframework.stereotype.Component;

/**
 * The place where carts are kept, changed and turned into orders: the one part of the
 * shop that knows what is in the session.
 */
@Component
class Checkout {

	private static final String CART = "cart";

	private static final String ORDER = "order";

	private final Catalogue catalogue;

	Checkout(Catalogue catalogue) {
		this.catalogue = catalogue;
	}

	Cart cart(HttpSession session) {
		return (session.getAttribute(CART) instanceof Cart cart) ? cart : Cart.EMPTY;
	}

	Bill bill(HttpSession session) {
		return Bill.of(cart(session), this.catalogue);
	}

	void add(HttpSession session, @Nullable String productId, @Nullable Integer quantity) {
		Product product = this.catalogue.get(productId);
		keep(session, cart(session).add(product.id(), required(quantity)));
	}

	void change(HttpSession session, String productId, @Nullable Integer quantity) {
		Product product = this.catalogue.get(productId);
		keep(session, cart(session).with(product.id(), required(quantity)));
	}

	void remove(HttpSession session, String productId) {
		keep(session, cart(session).without(this.catalogue.get(productId).id()));
	}

	/**
	 * Turn the cart into an order and empty it.
	 * @param session the buyer's session
	 * @return the order
	 * @throws InvalidInputException if there is nothing in the cart
	 */
	Bill placeOrder(HttpSession session) {
		Bill order = bill(session);
		if (order.items().isEmpty()) {
			throw new InvalidInputException("The cart is empty");
		}
		session.setAttribute(ORDER, order);
		session.removeAttribute(CART);
		return order;
	}

	/**
	 * Return the last order of this session, so that its confirmation can be reloaded.
	 * @param session the buyer's session
	 * @return the order, or {@code null} if there was none
	 */
	@Nullable Bill lastOrder(HttpSession session) {
		return (session.getAttribute(ORDER) instanceof Bill order) ? order : null;
	}

	void forget(HttpSession session) {
		session.removeAttribute(CART);
		session.removeAttribute(ORDER);
	}

	private void keep(HttpSession session, Cart cart) {
		// The attribute is set anew for each change, since setting is what tells Spring
		// Session to write: a cart changed in place would be lost after this request.
		session.setAttribute(CART, cart);
	}

	private static int required(@Nullable Integer quantity) {
		if (quantity == null) {
			throw new InvalidInputException("The quantity is missing");
		}
		return quantity;
	}

}

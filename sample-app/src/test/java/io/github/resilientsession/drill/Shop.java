package io.github.resilientsession.drill;

import org.jspecify.annotations.Nullable;

/**
 * A shop as its visitors see it. Safe for use by many threads. Every method throws a
 * {@link RuntimeException} if the shop gives no answer, or one that it has a problem.
 */
interface Shop {

	/**
	 * Log in.
	 * @return what the visitor shows from now on
	 */
	String logIn();

	/**
	 * Look into the cart.
	 * @return how much is in it; {@code null} if the shop says that nobody is logged in
	 */
	@Nullable Integer look(String visitor);

	/**
	 * Put one more thing into the cart.
	 * @return how much was in it before; {@code null} if the shop says that nobody is
	 * logged in
	 */
	@Nullable Integer buy(String visitor);

	/**
	 * Log out.
	 */
	void logOut(String visitor);

}

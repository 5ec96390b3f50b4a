package io.github.resilientsession.sample;

import java.io.Serializable;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * What somebody is about to buy: an immutable value, so that two requests of one session
 * never see each other's cart half changed.
 * <p>
 * It holds product ids only. Names and prices come from the catalogue when the cart is
 * looked at, so the session stays small and never shows yesterday's price.
 *
 * @param quantities pieces by product id, in the order they were added
 */
record Cart(Map<String, Integer> quantities) implements Serializable {

	static final int MAX_QUANTITY = 99;

	static final Cart EMPTY = new Cart(Map.of());

	Cart {
		quantities = Collections.unmodifiableMap(new LinkedHashMap<>(quantities));
	}

	/**
	 * Return a cart with so many more pieces of a product.
	 * @param productId the product's id
	 * @param quantity the pieces to add
	 * @return the new cart
	 * @throws InvalidInputException if the pieces, or all together, are not within 1 to
	 * {@value #MAX_QUANTITY}
	 */
	Cart add(String productId, int quantity) {
		requireWithinRange(quantity);
		return with(productId, this.quantities.getOrDefault(productId, 0) + quantity);
	}

	/**
	 * Return a cart with exactly so many pieces of a product.
	 * @param productId the product's id
	 * @param quantity the pieces wanted
	 * @return the new cart
	 * @throws InvalidInputException if the pieces are not within 1 to
	 * {@value #MAX_QUANTITY}
	 */
	Cart with(String productId, int quantity) {
		requireWithinRange(quantity);
		Map<String, Integer> changed = new LinkedHashMap<>(this.quantities);
		changed.put(productId, quantity);
		return new Cart(changed);
	}

	Cart without(String productId) {
		Map<String, Integer> changed = new LinkedHashMap<>(this.quantities);
		changed.remove(productId);
		return new Cart(changed);
	}

	int count() {
		return this.quantities.values().stream().mapToInt(Integer::intValue).sum();
	}

	private static void requireWithinRange(int quantity) {
		if (quantity < 1 || quantity > MAX_QUANTITY) {
			throw new InvalidInputException(
					"The quantity of a product must be between 1 and %d, not %d".formatted(MAX_QUANTITY, quantity));
		}
	}

}

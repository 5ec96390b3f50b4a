package io.github.resilientsession.sample;

import java.io.Serializable;
import java.math.BigDecimal;
import java.util.List;

/**
 * A cart with names and prices, or an order once it was placed.
 *
 * @param items one line per product
 * @param count pieces of all products
 * @param total the sum of all lines, in euros
 */
record Bill(List<Line> items, int count, BigDecimal total) implements Serializable {

	Bill {
		items = List.copyOf(items);
	}

	static Bill of(Cart cart, Catalogue catalogue) {
		// A cart may be older than the catalogue: what is no longer sold is left out.
		List<Line> lines = cart.quantities()
			.entrySet()
			.stream()
			.flatMap((entry) -> catalogue.find(entry.getKey())
				.map((product) -> Line.of(product, entry.getValue()))
				.stream())
			.toList();
		return new Bill(lines, lines.stream().mapToInt(Line::quantity).sum(),
				lines.stream().map(Line::sum).reduce(new BigDecimal("0.00"), BigDecimal::add));
	}

	/**
	 * So many pieces of one product.
	 *
	 * @param productId the product's id
	 * @param name the product's name
	 * @param price for one piece, in euros
	 * @param quantity the number of pieces
	 * @param sum for all pieces, in euros
	 */
	record Line(String productId, String name, BigDecimal price, int quantity, BigDecimal sum) implements Serializable {

		private static Line of(Product product, int quantity) {
			return new Line(product.id(), product.name(), product.price(), quantity,
					product.price().multiply(BigDecimal.valueOf(quantity)));
		}

	}

}

package io.github.resilientsession.sample;

import java.math.BigDecimal;
import java.util.List;
import java.util.Optional;

import org.jspecify.annotations.Nullable;

import org.springframework.stereotype.Component;

/**
 * The dozen things the shop sells.
 */
@Component
class Catalogue {

	private final List<Product> products = List.of(
			product("pan", "Cast-iron pan", "Twenty-six centimetres, better every year.", "49.00"),
			product("mug", "Enamel mug", "Survives camp fires and dishwashers.", "12.50"),
			product("blanket", "Wool blanket", "Woven from one flock's wool, undyed.", "89.00"),
			product("flask", "Steel flask", "Keeps tea hot from breakfast to dusk.", "34.90"),
			product("stool", "Oak stool", "Three legs, so it never wobbles.", "120.00"),
			product("knife", "Kitchen knife", "Carbon steel, sharpened by hand.", "64.00"),
			product("towel", "Linen towel", "Softer with every wash.", "18.00"),
			product("candle", "Beeswax candle", "Burns for forty hours.", "14.00"),
			product("notebook", "Stitched notebook", "Opens flat; 192 dotted pages.", "16.50"),
			product("umbrella", "Ash umbrella", "A frame that can be repaired.", "75.00"),
			product("belt", "Leather belt", "One piece, one buckle, no stitching.", "45.00"),
			product("brush", "Shoe brush", "Pear wood and horsehair.", "9.90"));

	private static Product product(String id, String name, String description, String price) {
		return new Product(id, name, description, new BigDecimal(price));
	}

	List<Product> products() {
		return this.products;
	}

	Optional<Product> find(@Nullable String id) {
		return this.products.stream().filter((product) -> product.id().equals(id)).findFirst();
	}

	/**
	 * Return the product of that name.
	 * @param id the product's id
	 * @return the product
	 * @throws InvalidInputException if the shop does not sell it
	 */
	Product get(@Nullable String id) {
		return find(id).orElseThrow(() -> new InvalidInputException("Unknown product: " + id));
	}

}

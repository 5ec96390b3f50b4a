package io.github.resilientsession.sample;

import java.math.BigDecimal;

/**
 * Something the shop sells.
 *
 * @param id how forms, the API and the cart name it
 * @param name how people name it
 * @param description one sentence about it
 * @param price for one piece, in euros
 */
record Product(String id, String name, String description, BigDecimal price) {

}

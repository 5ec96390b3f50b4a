package io.github.resilientsession.drill;

import java.util.function.BooleanSupplier;

/**
 * What is asked of a side.
 *
 * @param failure what is to be said if it does not hold
 * @param holds whether it does; asked when the drill is over and everybody has looked
 */
record Demand(String failure, BooleanSupplier holds) {

	static Demand not(boolean failed, String failure) {
		return new Demand(failure, () -> !failed);
	}

}

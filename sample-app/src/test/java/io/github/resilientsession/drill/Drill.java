package io.github.resilientsession.drill;

import java.util.List;
import java.util.Optional;

/**
 * An outage that has happened, to be replayed.
 */
interface Drill {

	/**
	 * Its name on the command line.
	 */
	String name();

	/**
	 * What happens in it, in a line.
	 */
	String title();

	/**
	 * What is missing on this machine to play it.
	 * @return empty if nothing is
	 */
	default Optional<String> needs() {
		return Optional.empty();
	}

	/**
	 * To whom it happens.
	 */
	default List<Contender> contenders() {
		return List.of(Contender.PLAIN, Contender.RESILIENT);
	}

	/**
	 * Let it happen to one of them.
	 * @return how it came through
	 */
	Result play(Contender contender, Stage stage) throws Exception;

}

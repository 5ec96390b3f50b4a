package io.github.resilientsession.durable;

import java.util.Set;
import java.util.concurrent.CompletionStage;

import org.jspecify.annotations.Nullable;

/**
 * What is begun as soon as a write is committed, while the request that made it still
 * waits: it then waits once, for both.
 */
@FunctionalInterface
public interface Committed {

	/**
	 * Nothing is begun.
	 */
	Committed NOTHING = (persisted) -> null;

	/**
	 * Begin, on any thread. Does not wait and does not throw.
	 * @param persisted the tokens that the row names
	 * @return completes when that has ended; {@code null} if nothing was begun
	 */
	@Nullable CompletionStage<?> begin(Set<String> persisted);

}

package io.github.resilientsession.redis;

import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.function.Supplier;

/**
 * A script that has been sent to Redis, and whose answer is waited for later.
 */
public final class Sent {

	private final CompletionStage<List<Object>> answer;

	private Sent(CompletionStage<List<Object>> answer) {
		this.answer = answer;
	}

	/**
	 * Send a script; a failure to do so is the answer.
	 */
	static Sent of(Supplier<CompletionStage<List<Object>>> start) {
		try {
			return new Sent(start.get());
		}
		catch (RuntimeException ex) {
			return new Sent(CompletableFuture.failedStage(ex));
		}
	}

	/**
	 * What completes when there is an answer, or none can come any more.
	 * @return completes with anything, or exceptionally
	 */
	public CompletionStage<?> answered() {
		return this.answer;
	}

	/**
	 * Like {@link #answered()}, for two scripts.
	 * @param other the other one
	 * @return completes when both have
	 */
	public CompletionStage<?> answeredWith(Sent other) {
		return CompletableFuture.allOf(this.answer.toCompletableFuture(), other.answer.toCompletableFuture());
	}

	CompletionStage<List<Object>> answer() {
		return this.answer;
	}

}

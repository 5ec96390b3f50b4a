package io.github.resilientsession.autoconfigure;

import java.util.List;

/**
 * Thrown at startup when settings make no sense, alone or together.
 */
final class ContradictorySettingsException extends RuntimeException {

	private final List<String> problems;

	ContradictorySettingsException(List<String> problems) {
		super("Resilient Session is configured in a way that cannot work: " + String.join("; ", problems));
		this.problems = List.copyOf(problems);
	}

	List<String> problems() {
		return this.problems;
	}

}

package io.github.resilientsession.checker;

import java.util.List;
import java.util.Locale;

/**
 * Something that must not have happened, with what it takes to understand it.
 */
record Violation(ViolationKind kind, long at, String what, List<String> faults, List<Operation> history) {

	@Override
	public String toString() {
		StringBuilder text = new StringBuilder();
		text.append(String.format(Locale.ROOT, "VIOLATION %s at %.3f s: %s%n", this.kind, this.at / 1e9, this.what));
		this.faults.forEach((fault) -> text.append("    fault: ").append(fault).append(System.lineSeparator()));
		this.history.forEach((operation) -> text.append("    ").append(operation).append(System.lineSeparator()));
		return text.toString();
	}

}

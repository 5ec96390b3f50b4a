package io.github.resilientsession.doctor;

import java.util.List;
import java.util.stream.Collectors;

/**
 * Thrown when the application is not to start with a Redis that loses sessions.
 */
public final class CriticalFindingsException extends RuntimeException {

	private final transient List<Finding> findings;

	/**
	 * Create an exception.
	 * @param findings what is critical, at least one
	 */
	public CriticalFindingsException(List<Finding> findings) {
		super("Redis is not fit for sessions: "
				+ findings.stream().map(Finding::what).collect(Collectors.joining(" ")));
		this.findings = List.copyOf(findings);
	}

	/**
	 * What is critical.
	 * @return the findings
	 */
	public List<Finding> findings() {
		return this.findings;
	}

}

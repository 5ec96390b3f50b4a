package io.github.resilientsession.autoconfigure;

import java.util.stream.Collectors;

import io.github.resilientsession.doctor.CriticalFindingsException;

import org.springframework.boot.diagnostics.AbstractFailureAnalyzer;
import org.springframework.boot.diagnostics.FailureAnalysis;

/**
 * Explains a {@link CriticalFindingsException}.
 */
final class CriticalFindingsFailureAnalyzer extends AbstractFailureAnalyzer<CriticalFindingsException> {

	@Override
	protected FailureAnalysis analyze(Throwable rootFailure, CriticalFindingsException cause) {
		return new FailureAnalysis(
				"Redis is not fit for sessions, and resilient-session.doctor.on-critical is fail:" + cause.findings()
					.stream()
					.map((finding) -> "\n    - " + finding.what() + " " + finding.why())
					.collect(Collectors.joining()),
				cause.findings()
					.stream()
					.map((finding) -> "- " + finding.fix())
					.distinct()
					.collect(Collectors.joining("\n    "))
						+ "\n    Or set resilient-session.doctor.on-critical=warn to start all the same.",
				cause);
	}

}

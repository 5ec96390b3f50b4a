package io.github.resilientsession.autoconfigure;

import org.springframework.boot.diagnostics.AbstractFailureAnalyzer;
import org.springframework.boot.diagnostics.FailureAnalysis;

/**
 * Explains a {@link ContradictorySettingsException}.
 */
final class ContradictorySettingsFailureAnalyzer extends AbstractFailureAnalyzer<ContradictorySettingsException> {

	@Override
	protected FailureAnalysis analyze(Throwable rootFailure, ContradictorySettingsException cause) {
		return new FailureAnalysis(
				"Resilient Session is configured in a way that cannot work:\n    - "
						+ String.join("\n    - ", cause.problems()),
				"Change the settings named above, or set resilient-session.enabled=false to do without it.", cause);
	}

}

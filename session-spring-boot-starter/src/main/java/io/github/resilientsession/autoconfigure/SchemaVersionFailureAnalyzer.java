package io.github.resilientsession.autoconfigure;

import io.github.resilientsession.durable.SchemaVersionException;

import org.springframework.boot.diagnostics.AbstractFailureAnalyzer;
import org.springframework.boot.diagnostics.FailureAnalysis;

/**
 * Explains a {@link SchemaVersionException}.
 */
final class SchemaVersionFailureAnalyzer extends AbstractFailureAnalyzer<SchemaVersionException> {

	@Override
	protected FailureAnalysis analyze(Throwable rootFailure, SchemaVersionException cause) {
		return new FailureAnalysis(cause.getMessage(), cause.action(), cause);
	}

}

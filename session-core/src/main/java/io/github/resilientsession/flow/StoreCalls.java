package io.github.resilientsession.flow;

import java.util.function.Supplier;

import io.github.resilientsession.record.Lookup;
import io.micrometer.observation.Observation;
import io.micrometer.observation.ObservationRegistry;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Tells observers (timers, traces) of each call of a store that a request waits for.
 * Costs nothing where there are none. Safe for use by many threads.
 */
final class StoreCalls {

	/**
	 * The name of the observation, and of the timer that is made of it.
	 */
	static final String NAME = "resilient.session.store";

	private static final Logger logger = LoggerFactory.getLogger(StoreCalls.class);

	private final ObservationRegistry registry;

	StoreCalls(ObservationRegistry registry) {
		this.registry = registry;
	}

	/**
	 * Make a call.
	 * @param <T> what it returns
	 * @param call which one it is
	 * @param work makes it
	 * @return what it returned
	 */
	<T extends @Nullable Object> T observe(StoreCall call, Supplier<T> work) {
		if (this.registry.isNoop()) {
			return work.get();
		}
		Observation observation = Observation.createNotStarted(NAME, this.registry);
		// What an observer fails with is nothing to a save that has been committed.
		quietly(() -> observation.contextualName(call.tier() + " " + call.operation())
			.lowCardinalityKeyValue("tier", call.tier())
			.lowCardinalityKeyValue("operation", call.operation())
			.start());
		Observation.Scope before = this.registry.getCurrentObservationScope();
		quietly(observation::openScope);
		// Also one that an observer has failed at.
		Observation.Scope scope = this.registry.getCurrentObservationScope();
		try {
			T answer = work.get();
			if (answer instanceof Lookup.Unavailable unavailable) {
				quietly(() -> observation.error(unavailable.cause()));
			}
			return answer;
		}
		catch (RuntimeException | Error ex) {
			quietly(() -> observation.error(ex));
			throw ex;
		}
		finally {
			if (scope != null && scope.getCurrentObservation() == observation) {
				quietly(scope::close);
				this.registry.setCurrentObservationScope(before);
			}
			quietly(observation::stop);
		}
	}

	private static void quietly(Runnable tell) {
		try {
			tell.run();
		}
		catch (RuntimeException ex) {
			logger.debug("A call is not observed", ex);
		}
	}

}

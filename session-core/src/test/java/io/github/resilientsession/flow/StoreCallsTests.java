package io.github.resilientsession.flow;

import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;

import io.github.resilientsession.record.Lookup;
import io.micrometer.observation.Observation;
import io.micrometer.observation.ObservationHandler;
import io.micrometer.observation.ObservationRegistry;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.tuple;

/**
 * Tests for {@link StoreCalls}.
 */
class StoreCallsTests {

	private final List<Observation.Context> observed = new ArrayList<>();

	private final ObservationRegistry registry = ObservationRegistry.create();

	private final StoreCalls calls = new StoreCalls(this.registry);

	StoreCallsTests() {
		this.registry.observationConfig().observationHandler(new ObservationHandler<>() {

			@Override
			public void onStop(Observation.Context context) {
				StoreCallsTests.this.observed.add(context);
			}

			@Override
			public boolean supportsContext(Observation.Context context) {
				return true;
			}

		});
	}

	@Test
	void call_isPartOfTheRequestsTrace_andNamesItsTierAndOperation() {
		Observation request = Observation.start("request", this.registry);
		try (Observation.Scope scope = request.openScope()) {
			assertThat(this.calls.observe(StoreCall.FIND, () -> "answer")).isEqualTo("answer");
		}
		assertThat(this.observed).singleElement().satisfies((context) -> {
			assertThat(context.getName()).isEqualTo("resilient.session.store");
			assertThat(context.getContextualName()).isEqualTo("redis find");
			assertThat(context.getLowCardinalityKeyValues()).extracting("key", "value")
				.containsExactlyInAnyOrder(tuple("tier", "redis"), tuple("operation", "find"));
			assertThat(context.getHighCardinalityKeyValues()).isEmpty();
			assertThat(context.getParentObservation()).isSameAs(request);
			assertThat(context.getError()).isNull();
		});
	}

	@Test
	void call_thatFails_tellsWhy() {
		assertThatIllegalStateException().isThrownBy(() -> this.calls.observe(StoreCall.COMMIT, () -> {
			throw new IllegalStateException("no");
		}));
		assertThat(this.observed).singleElement()
			.satisfies((context) -> assertThat(context.getError()).isInstanceOf(IllegalStateException.class));
	}

	@Test
	void load_withoutAnAnswer_tellsWhy() {
		IllegalStateException cause = new IllegalStateException("shed");
		this.calls.observe(StoreCall.LOAD, () -> new Lookup.Unavailable(cause));
		assertThat(this.observed).singleElement()
			.satisfies((context) -> assertThat(context.getError()).isSameAs(cause));
	}

	@ParameterizedTest
	@ValueSource(strings = { "onStart", "onScopeOpened", "onError", "onScopeClosed", "onStop" })
	void observerThatFails_isNothingToTheCall(String callback) {
		this.registry.observationConfig().observationHandler(failingAt(callback));
		List<String> made = new ArrayList<>();
		assertThat(this.calls.observe(StoreCall.COMMIT, () -> {
			made.add("commit");
			return "committed";
		})).isEqualTo("committed");
		assertThat(made).containsExactly("commit");
		assertThatIllegalStateException().isThrownBy(() -> this.calls.observe(StoreCall.FIND, () -> {
			throw new IllegalStateException("no answer");
		})).withMessage("no answer");
		Lookup none = new Lookup.Unavailable(new IllegalStateException("shed"));
		assertThat(this.calls.observe(StoreCall.LOAD, () -> none)).isSameAs(none);
		assertThat(this.registry.getCurrentObservationScope()).isNull();
	}

	@SuppressWarnings("unchecked")
	private static ObservationHandler<Observation.Context> failingAt(String callback) {
		return (ObservationHandler<Observation.Context>) Proxy.newProxyInstance(
				ObservationHandler.class.getClassLoader(), new Class<?>[] { ObservationHandler.class },
				(proxy, method, arguments) -> {
					if (method.getName().equals(callback)) {
						throw new IllegalArgumentException(callback);
					}
					return method.getName().equals("supportsContext") ? true : null;
				});
	}

	@Test
	void call_withoutRegistry_isJustMade() {
		assertThat(new StoreCalls(ObservationRegistry.NOOP).observe(StoreCall.FIND, () -> "answer"))
			.isEqualTo("answer");
	}

}

package io.github.resilientsession;

import java.util.ArrayList;
import java.util.List;

import io.github.resilientsession.record.SessionStoreListener;
import org.junit.jupiter.api.Test;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Tests for {@link SessionStoreListeners}.
 */
class SessionStoreListenersTests {

	private final List<String> told = new ArrayList<>();

	@Test
	void all_areTold_inTheirOrder_withWhatThereIsToTell() {
		SessionStoreListener both = SessionStoreListeners.of(List.of(telling("one"), telling("two")));
		both.onRedisHit();
		both.onBreaker("redis", true);
		assertThat(this.told).containsExactly("one hit", "two hit", "one redis true", "two redis true");
	}

	@Test
	void oneThatThrows_doesNoHarm() {
		SessionStoreListener broken = new SessionStoreListener() {

			@Override
			public void onRedisHit() {
				throw new IllegalStateException("broken");
			}

		};
		SessionStoreListener both = SessionStoreListeners.of(List.of(broken, telling("two")));
		both.onRedisHit();
		both.onRedisHit();
		assertThat(this.told).containsExactly("two hit", "two hit");
	}

	@Test
	void none_isFineToo() {
		SessionStoreListeners.of(List.of()).onRedisHit();
		assertThat(SessionStoreListeners.of(List.of(telling("one"))).toString()).isNotEmpty();
	}

	private SessionStoreListener telling(String name) {
		return new SessionStoreListener() {

			@Override
			public void onRedisHit() {
				SessionStoreListenersTests.this.told.add(name + " hit");
			}

			@Override
			public void onBreaker(String tier, boolean open) {
				SessionStoreListenersTests.this.told.add(name + " " + tier + " " + open);
			}

		};
	}

}

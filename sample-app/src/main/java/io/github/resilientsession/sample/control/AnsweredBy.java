package io.github.resilientsession.sample.control;

import io.github.resilientsession.record.SessionStoreListener;
import org.jspecify.annotations.Nullable;

/**
 * Notes which store has answered the last read of each thread.
 */
final class AnsweredBy implements SessionStoreListener {

	static final String REDIS = "Redis";

	private final ThreadLocal<@Nullable String> last = new ThreadLocal<>();

	/**
	 * Take what was noted on this thread.
	 */
	@Nullable String take() {
		String answered = this.last.get();
		this.last.remove();
		return answered;
	}

	@Override
	public void onRedisHit() {
		this.last.set(REDIS);
	}

	@Override
	public void onFalseLogoutAvoided() {
		this.last.set("the database");
	}

}

package io.github.resilientsession.sample;

import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

import org.junit.jupiter.api.Test;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Tests for what visitors of the shop notice when its Redis fails: nothing.
 */
abstract class SurvivalTests extends FailingStores {

	private static final int THREADS = 8;

	private static final int REQUESTS_PER_THREAD = 8;

	@Test
	void session_whenRedisIsFlushed_keepsItsCartAndGetsItsCopyBack() {
		Visitor anna = loggedIn("anna");
		String cookie = anna.cookie("SESSION");
		assertThat(add(anna)).isEqualTo(1);
		assertThat(add(anna)).isEqualTo(2);
		this.redis.flushAll();
		HttpResponse<String> response = anna.api("GET", "/api/cart");
		assertThat(count(response)).isEqualTo(2);
		assertThat(response.headers().allValues("Set-Cookie")).isEmpty();
		assertThat(anna.cookie("SESSION")).isEqualTo(cookie);
		awaitCopy(anna);
		assertThat(count(anna)).isEqualTo(2);
	}

	@Test
	void session_whenRedisIsKilledAndComesBackEmpty_isServedAllAlong() {
		Visitor anna = loggedIn("anna");
		Visitor ben = loggedIn("ben");
		add(anna);
		this.redis.kill();
		assertThat(add(anna)).isEqualTo(2);
		assertThat(count(anna)).isEqualTo(2);
		Visitor chris = loggedIn("chris");
		assertThat(add(chris)).isEqualTo(1);
		String loggedOut = logOut(ben);
		String before = anna.cookie("SESSION");
		remember(anna.apiLogin("anna", "lasting"), anna);
		assertThat(anna.cookie("SESSION")).isNotEqualTo(before);
		for (int i = 3; i <= 12; i++) {
			assertThat(add(anna)).isEqualTo(i);
		}
		this.redis.restartEmpty();
		awaitHealthWhile(() -> {
			assertThat(count(anna)).isEqualTo(12);
			assertThat(count(chris)).isEqualTo(1);
			assertLoggedOut(loggedOut);
			assertLoggedOut(before);
		});
		awaitCopy(anna);
		awaitCopy(chris);
		assertThat(count(anna)).isEqualTo(12);
		assertLoggedOut(loggedOut);
		assertLoggedOut(before);
	}

	@Test
	void requests_whenRedisHangs_areAnsweredInTimeAndLeaveNothingStale() throws Exception {
		List<Visitor> visitors = new ArrayList<>();
		for (int i = 0; i < THREADS; i++) {
			visitors.add(loggedIn("anna"));
		}
		Visitor ben = loggedIn("ben");
		this.redis.pause();
		Duration slowest = shopConcurrently(visitors);
		String loggedOut = logOut(ben);
		this.redis.resume();
		assertThat(slowest).as("the slowest request").isLessThan(limit());
		awaitHealthWhile(() -> {
			visitors.forEach((visitor) -> assertThat(count(visitor)).isEqualTo(REQUESTS_PER_THREAD / 2));
			assertLoggedOut(loggedOut);
		});
		for (Visitor visitor : visitors) {
			awaitCopy(visitor);
			assertThat(count(visitor)).isEqualTo(REQUESTS_PER_THREAD / 2);
		}
		assertServedFromRedis(visitors.get(0));
	}

	@Test
	void writesOfAnOutage_whenRedisComesBackWithOldData_areSeen() {
		Visitor anna = loggedIn("anna");
		Visitor ben = loggedIn("ben");
		add(anna);
		Path snapshot = this.redis.snapshot();
		this.redis.kill();
		for (int i = 2; i <= 12; i++) {
			assertThat(add(anna)).isEqualTo(i);
		}
		String loggedOut = logOut(ben);
		this.redis.restartFrom(snapshot);
		awaitHealthWhile(() -> {
			assertThat(count(anna)).isEqualTo(12);
			assertLoggedOut(loggedOut);
		});
		assertThat(count(anna)).isEqualTo(12);
		assertThat(add(anna)).isEqualTo(13);
		assertLoggedOut(loggedOut);
		awaitCopy(anna);
		assertServedFromRedis(anna);
	}

	@Test
	void onlyWriteOfAnOutage_whenRedisComesBackWithOldData_isSeen() {
		Visitor anna = loggedIn("anna");
		add(anna);
		// Enough good answers that a few failures don't tip the breaker.
		for (int i = 0; i < 20; i++) {
			count(anna);
		}
		Path snapshot = this.redis.snapshot();
		this.redis.kill();
		assertThat(add(anna)).isEqualTo(2);
		this.redis.restartFrom(snapshot);
		awaitHealthWhile(() -> assertThat(count(anna)).isEqualTo(2));
		assertThat(count(anna)).isEqualTo(2);
	}

	@Test
	void onlyLogoutOfAnOutage_whenRedisComesBackWithOldData_isFinal() {
		Visitor anna = loggedIn("anna");
		for (int i = 0; i < 20; i++) {
			count(anna);
		}
		Path snapshot = this.redis.snapshot();
		this.redis.kill();
		String loggedOut = logOut(anna);
		this.redis.restartFrom(snapshot);
		awaitHealthWhile(() -> assertLoggedOut(loggedOut));
		assertLoggedOut(loggedOut);
	}

	@Test
	void writes_whenRedisIsFull_areAcknowledgedAndReadBack() {
		Visitor anna = loggedIn("anna");
		Visitor ben = loggedIn("ben");
		add(anna);
		this.redis.configSet("maxmemory-policy", "noeviction");
		this.redis.configSet("maxmemory", "1mb");
		for (int i = 2; i <= 12; i++) {
			assertThat(add(anna)).isEqualTo(i);
			assertThat(count(anna)).isEqualTo(i);
		}
		Visitor chris = loggedIn("chris");
		assertThat(add(chris)).isEqualTo(1);
		assertThat(count(chris)).isEqualTo(1);
		String loggedOut = logOut(ben);
		assertLoggedOut(loggedOut);
		this.redis.configSet("maxmemory", "0");
		awaitHealthWhile(() -> {
			assertThat(count(anna)).isEqualTo(12);
			assertThat(count(chris)).isEqualTo(1);
			assertLoggedOut(loggedOut);
		});
		awaitCopy(anna);
		awaitCopy(chris);
		assertServedFromRedis(anna);
	}

	@Test
	void session_whoseCopyIsOfAnotherType_survives() {
		Visitor anna = loggedIn("anna");
		add(anna);
		this.redis.call((commands) -> {
			commands.del(copyOf(anna));
			return commands.lpush(copyOf(anna), "not", "a", "session");
		});
		assertThat(count(anna)).isEqualTo(1);
		assertThat(add(anna)).isEqualTo(2);
		assertThat(count(anna)).isEqualTo(2);
		awaitCopy(anna);
		assertServedFromRedis(anna);
	}

	@Test
	void session_whoseCopyLostAField_survives() {
		Visitor anna = loggedIn("anna");
		add(anna);
		this.redis.call((commands) -> commands.hdel(copyOf(anna), "creationTime"));
		assertThat(count(anna)).isEqualTo(1);
		assertThat(add(anna)).isEqualTo(2);
		assertThat(count(anna)).isEqualTo(2);
		awaitCopy(anna);
		assertServedFromRedis(anna);
	}

	@Test
	void session_whoseCopyLostAFieldBeforeAWrite_takesTheWrite() {
		Visitor anna = loggedIn("anna");
		add(anna);
		this.redis.call((commands) -> commands.hdel(copyOf(anna), "creationTime"));
		assertThat(add(anna)).isEqualTo(2);
		assertThat(count(anna)).isEqualTo(2);
	}

	@Test
	void session_whoseRowIsCorrupt_isLoggedOutAndMayLogInAgain() {
		Visitor anna = loggedIn("anna");
		add(anna);
		corruptRow(anna);
		this.redis.flushAll();
		for (int i = 0; i < 3; i++) {
			HttpResponse<String> response = anna.api("GET", "/api/cart");
			assertThat(response.statusCode()).isEqualTo(401);
			assertThat(response.headers().firstValue("Content-Type"))
				.hasValueSatisfying((type) -> assertThat(type).startsWith("application/problem+json"));
		}
		remember(anna.apiLogin("anna", "lasting"), anna);
		assertThat(add(anna)).isEqualTo(1);
		assertThat(count(anna)).isEqualTo(1);
	}

	/**
	 * Let each visitor put something into the cart and look at it, in turns.
	 * @return how long the slowest request took
	 */
	private static Duration shopConcurrently(List<Visitor> visitors) throws Exception {
		ExecutorService threads = Executors.newFixedThreadPool(visitors.size());
		try {
			List<Callable<Duration>> tasks = new ArrayList<>();
			visitors.forEach((visitor) -> tasks.add(() -> shop(visitor)));
			Duration slowest = Duration.ZERO;
			for (Future<Duration> task : threads.invokeAll(tasks)) {
				slowest = (task.get().compareTo(slowest) > 0) ? task.get() : slowest;
			}
			return slowest;
		}
		finally {
			threads.shutdownNow();
		}
	}

	private static Duration shop(Visitor visitor) {
		long slowest = 0;
		for (int i = 1; i <= REQUESTS_PER_THREAD; i++) {
			long start = System.nanoTime();
			assertThat((i % 2 == 1) ? add(visitor) : count(visitor)).isEqualTo((i + 1) / 2);
			slowest = Math.max(slowest, System.nanoTime() - start);
		}
		return Duration.ofNanos(slowest);
	}

}

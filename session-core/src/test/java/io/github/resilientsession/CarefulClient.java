package io.github.resilientsession;

import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.Supplier;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * A client that remembers what was acknowledged, and fails whenever it is not served
 * accordingly: a live session is never absent, an ended one stays ended, no acknowledged
 * write is missing, and no answer takes longer than the limits allow. What threw
 * {@link SessionStoreUnavailableException} may have happened or not.
 */
final class CarefulClient {

	/**
	 * A request is a read and a write, each at most as long as Redis and the database may
	 * take.
	 */
	static final Duration LIMIT = SessionNode.REDIS_TIME_LIMIT.plus(SessionNode.DURABLE_TIME_LIMIT).multipliedBy(2);

	private final Map<String, Expected> sessions = new LinkedHashMap<>();

	String login(SessionNode node) {
		ResilientSession session = node.repository.createSession();
		session.setAttribute("count", 0);
		timed(() -> {
			node.repository.save(session);
			return true;
		});
		this.sessions.put(session.getId(), new Expected());
		return session.getId();
	}

	List<String> login(SessionNode node, int count) {
		List<String> ids = new ArrayList<>();
		for (int i = 0; i < count; i++) {
			ids.add(login(node));
		}
		return ids;
	}

	void write(SessionNode node, String id) {
		write(node, id, (session) -> {
		});
	}

	/**
	 * Write to a session.
	 * @param beforeSave what else happens in the request before the session is saved
	 */
	void write(SessionNode node, String id, Consumer<ResilientSession> beforeSave) {
		Expected expected = this.sessions.get(id);
		timed(() -> {
			ResilientSession session = find(node, id);
			expected.attempted++;
			session.setAttribute("count", expected.attempted);
			beforeSave.accept(session);
			node.repository.save(session);
			expected.acknowledged = expected.attempted;
			return true;
		});
	}

	void touch(SessionNode node, String id) {
		timed(() -> {
			ResilientSession session = find(node, id);
			session.setLastAccessedTime(Instant.now());
			node.repository.save(session);
			return true;
		});
	}

	String changeId(SessionNode node, String id) {
		Expected old = this.sessions.get(id);
		return timed(() -> {
			ResilientSession session = find(node, id);
			old.mayBeEnded = true;
			String newId = session.changeSessionId();
			node.repository.save(session);
			old.mustBeEnded = true;
			Expected expected = new Expected();
			expected.attempted = old.attempted;
			expected.acknowledged = old.acknowledged;
			this.sessions.put(newId, expected);
			return newId;
		});
	}

	void logout(SessionNode node, String id) {
		Expected expected = this.sessions.get(id);
		expected.mayBeEnded = true;
		timed(() -> {
			node.repository.deleteById(id);
			return true;
		});
		expected.mustBeEnded = true;
	}

	void read(SessionNode node, String id) {
		check(id, timed(() -> node.repository.findById(id)));
	}

	/**
	 * Read every session, those that were ended too.
	 */
	void readAll(SessionNode node) {
		List.copyOf(this.sessions.keySet()).forEach((id) -> read(node, id));
	}

	/**
	 * Make a request that may be refused.
	 * @return whether it was acknowledged
	 */
	static boolean attempt(Runnable request) {
		try {
			request.run();
			return true;
		}
		catch (SessionStoreUnavailableException ex) {
			return false;
		}
	}

	/**
	 * How many sessions are alive.
	 */
	long live() {
		return this.sessions.values().stream().filter((expected) -> !expected.mayBeEnded).count();
	}

	private ResilientSession find(SessionNode node, String id) {
		ResilientSession session = node.repository.findById(id);
		check(id, session);
		if (session == null) {
			throw new AssertionError("An ended session cannot be written to");
		}
		return session;
	}

	private void check(String id, ResilientSession session) {
		Expected expected = this.sessions.get(id);
		if (session == null) {
			assertThat(expected.mayBeEnded).as("a live session may be reported as absent").isTrue();
			return;
		}
		assertThat(expected.mustBeEnded).as("an ended session is alive").isFalse();
		assertThat(session.<Integer>getAttribute("count"))
			.as("the count between what was acknowledged and what was attempted")
			.isBetween(expected.acknowledged, expected.attempted);
	}

	private static <T> T timed(Supplier<T> request) {
		long start = System.nanoTime();
		try {
			return request.get();
		}
		finally {
			assertThat(Duration.ofNanos(System.nanoTime() - start)).as("the time of an answer").isLessThan(LIMIT);
		}
	}

	/**
	 * What may be expected of a session.
	 */
	private static final class Expected {

		private int acknowledged;

		private int attempted;

		private boolean mayBeEnded;

		private boolean mustBeEnded;

	}

}

package io.github.resilientsession.benchmark;

import java.time.Instant;
import java.util.concurrent.ThreadLocalRandom;

import org.springframework.session.FindByIndexNameSessionRepository;
import org.springframework.session.Session;
import org.springframework.session.SessionRepository;

/**
 * What a request does to its session, as often as it is measured. Every operation checks
 * what it is given: a repository that loses sessions is not fast.
 */
enum Workload {

	/**
	 * Read a session and one of its attributes.
	 */
	READ("read") {

		@Override
		<S extends Session> void perform(SessionRepository<S> repository, Payload payload, Stock stock) {
			find(repository, stock.any(), payload);
		}

	},

	/**
	 * The same, and move its last access forward, as most requests do.
	 */
	TOUCH("touch") {

		@Override
		<S extends Session> void perform(SessionRepository<S> repository, Payload payload, Stock stock) {
			S session = find(repository, stock.any(), payload);
			session.setLastAccessedTime(Instant.now());
			repository.save(session);
		}

	},

	/**
	 * The same, and set an attribute.
	 */
	WRITE("write") {

		@Override
		<S extends Session> void perform(SessionRepository<S> repository, Payload payload, Stock stock) {
			S session = find(repository, stock.any(), payload);
			session.setLastAccessedTime(Instant.now());
			ThreadLocalRandom random = ThreadLocalRandom.current();
			session.setAttribute("attribute" + random.nextInt(Payload.ATTRIBUTES), payload.text(random.nextInt(1_000)));
			repository.save(session);
		}

	},

	/**
	 * Store a new session with all its attributes.
	 */
	CREATE("create") {

		@Override
		<S extends Session> void perform(SessionRepository<S> repository, Payload payload, Stock stock) {
			S session = repository.createSession();
			payload.fill(session);
			repository.save(session);
		}

	},

	/**
	 * Store a new session; then, as another request, change its id and set two
	 * attributes, one of them the principal.
	 */
	LOGIN("login") {

		@Override
		<S extends Session> void perform(SessionRepository<S> repository, Payload payload, Stock stock) {
			S anonymous = repository.createSession();
			payload.fill(anonymous);
			repository.save(anonymous);
			S session = repository.findById(anonymous.getId());
			if (session == null) {
				throw new IllegalStateException("A session that was just stored is absent");
			}
			session.setLastAccessedTime(Instant.now());
			session.changeSessionId();
			session.setAttribute(FindByIndexNameSessionRepository.PRINCIPAL_NAME_INDEX_NAME,
					"user" + ThreadLocalRandom.current().nextInt(100_000));
			session.setAttribute("attribute0", payload.text(0));
			repository.save(session);
		}

	},

	/**
	 * End a session.
	 */
	END("end") {

		@Override
		<S extends Session> void perform(SessionRepository<S> repository, Payload payload, Stock stock) {
			repository.deleteById(stock.take());
		}

	};

	private final String label;

	Workload(String label) {
		this.label = label;
	}

	/**
	 * The name in the results.
	 */
	String label() {
		return this.label;
	}

	/**
	 * Whether sessions are used up, so that as many have to be stored before.
	 */
	boolean consumes() {
		return this == END;
	}

	abstract <S extends Session> void perform(SessionRepository<S> repository, Payload payload, Stock stock);

	private static <S extends Session> S find(SessionRepository<S> repository, String id, Payload payload) {
		S session = repository.findById(id);
		if (session == null) {
			throw new IllegalStateException("A live session is absent");
		}
		String value = session.getAttribute("attribute3");
		if (value == null || value.length() != payload.attributeLength()) {
			throw new IllegalStateException("A session has lost an attribute");
		}
		return session;
	}

}

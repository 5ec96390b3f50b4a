package io.github.resilientsession.benchmark;

import org.springframework.session.Session;
import org.springframework.session.SessionRepository;

/**
 * One of those that are compared, in benchmarks and drills.
 *
 * @param <S> its sessions
 * @param name as the results have it
 * @param repository what is measured
 * @param keys what the Redis keys of its sessions contain, and no other
 * @param table what its statements contain; empty if it has no database
 * @param database the name of its database
 * @param resources closed in the end
 */
public record Peer<S extends Session>(String name, SessionRepository<S> repository, String keys, String table,
		String database, AutoCloseable resources) implements AutoCloseable {

	/**
	 * Perform one operation.
	 */
	void perform(Workload workload, Payload payload, Stock stock) {
		workload.perform(this.repository, payload, stock);
	}

	/**
	 * Store a session.
	 * @return its id
	 */
	String create(Payload payload) {
		S session = this.repository.createSession();
		payload.fill(session);
		this.repository.save(session);
		return session.getId();
	}

	@Override
	public void close() throws Exception {
		this.resources.close();
	}

}

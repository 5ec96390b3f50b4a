package io.github.resilientsession.checker;

import java.time.Duration;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

import io.github.resilientsession.ResilientSession;
import io.github.resilientsession.ResilientSessionRepository;
import io.github.resilientsession.SessionNode;
import io.github.resilientsession.SessionStoreUnavailableException;
import io.github.resilientsession.checker.Life.LastAccess;
import io.github.resilientsession.record.SessionHash;

/**
 * Calls a node as a request would, measures, records, and hands the answer to the judge.
 */
final class Client {

	private final String name;

	private final Cluster cluster;

	private final Timeline timeline;

	private final Judge judge;

	private final Findings findings;

	private final Figures figures;

	private final Duration maxInactiveInterval;

	/**
	 * When the read began that the next write goes with.
	 */
	private volatile long lastRead;

	Client(String name, Cluster cluster, Timeline timeline, Judge judge, Findings findings, Figures figures,
			Duration maxInactiveInterval) {
		this.name = name;
		this.cluster = cluster;
		this.timeline = timeline;
		this.judge = judge;
		this.findings = findings;
		this.figures = figures;
		this.maxInactiveInterval = maxInactiveInterval;
	}

	/**
	 * A node that is not crashed, as a load balancer would choose it.
	 */
	int chooseNode(Random random) {
		int start = random.nextInt(this.cluster.size());
		for (int i = 0; i < this.cluster.size(); i++) {
			int node = (start + i) % this.cluster.size();
			if (this.cluster.node(node) != null) {
				return node;
			}
		}
		return start;
	}

	/**
	 * Read a session, and let the judge compare.
	 */
	Answer read(Life life, int node, boolean settled) {
		SessionNode called = this.cluster.node(node);
		if (called == null) {
			return new Answer(Outcome.FAILED, null);
		}
		NodeWatch.beforeRead();
		long began = this.timeline.now();
		this.lastRead = began;
		try {
			ResilientSession session = called.repository.findById(life.id());
			long ended = this.timeline.now();
			took(life, "read", began, ended, Limits.READ);
			if (session == null) {
				record(life, "read", node, began, ended, "absent");
				this.judge.absent(life, node, NodeWatch.wasBlind(), began, ended);
				return new Answer(Outcome.ABSENT, null);
			}
			StringBuilder values = new StringBuilder("found");
			life.session()
				.registers()
				.forEach((register) -> values.append(' ').append(value(session, register.name())));
			record(life, "read", node, began, ended, values.toString());
			this.judge.found(life, node, NodeWatch.wasBlind(), began, ended, (attribute) -> value(session, attribute),
					settled);
			if (!NodeWatch.wasBlind() && !settled) {
				this.judge.lastAccess(life, new LastAccess(session.getLastAccessedTime().toEpochMilli(), began, ended));
			}
			return new Answer(Outcome.DONE, session);
		}
		catch (RuntimeException ex) {
			return new Answer(failed(life, "read", node, called, began, ex, Limits.READ), null);
		}
	}

	private static long value(ResilientSession session, String attribute) {
		Long value = session.getAttribute(attribute);
		return (value != null) ? value : 0;
	}

	/**
	 * Write a counter into the session that a read has found.
	 */
	Outcome write(Life life, int node, ResilientSession session, Register register) {
		long value = register.attempt();
		session.setAttribute(register.name(), register.removes(value) ? null : value);
		session.setLastAccessedTime(this.cluster.clock(node).instant());
		return call(life, "write " + register.name() + "=" + value, node, Limits.WRITE,
				(repository) -> repository.save(session), (ack) -> {
					Ack written = new Ack(value, node, this.lastRead, ack.began(), ack.at(), ack.unpersisted(),
							ack.blind());
					if (life.wasEnding(ack.at())) {
						// Dropped, perhaps: whoever ends a session ends what others do
						// with it.
						this.figures.count("acknowledged while the session ended");
						register.perhapsDropped(written);
					}
					else {
						if (!ack.unpersisted()) {
							life.persisted(ack);
						}
						register.acknowledged(written);
					}
				});
	}

	/**
	 * Move the last access forward, as every request does.
	 */
	Outcome touch(Life life, int node, ResilientSession session) {
		session.setLastAccessedTime(this.cluster.clock(node).instant());
		return call(life, "touch", node, Limits.TOUCH, (repository) -> repository.save(session), (ack) -> {
		});
	}

	/**
	 * Begin a session.
	 */
	Outcome create(ClientSession empty, int node) {
		SessionNode called = this.cluster.node(node);
		if (called == null) {
			return Outcome.FAILED;
		}
		ResilientSession session = called.repository.createSession();
		session.setMaxInactiveInterval(this.maxInactiveInterval);
		session.setAttribute("user", this.name);
		Life unborn = new Life(empty, session.getId(), null);
		return call(unborn, "create", node, Limits.WRITE, (repository) -> repository.save(session),
				(ack) -> empty.live(new Life(empty, session.getId(), ack)));
	}

	/**
	 * Log out.
	 */
	Outcome end(Life life, int node) {
		life.ending(this.timeline.now());
		Outcome outcome = call(life, "end", node, Limits.WRITE, (repository) -> repository.deleteById(life.id()),
				life::ended);
		if (outcome != Outcome.DONE) {
			life.session().doubt(null);
		}
		return outcome;
	}

	/**
	 * Give the session that a read has found another id. What others write before this
	 * begins to save is expected under the new id, though the read has not seen it.
	 */
	Outcome changeId(Life life, int node, ResilientSession session, Duration pause) throws InterruptedException {
		String next = session.changeSessionId();
		new CountDownLatch(1).await(pause.toMillis(), TimeUnit.MILLISECONDS);
		life.ending(this.timeline.now());
		long began = this.timeline.now();
		Outcome outcome = call(life, "change id", node, Limits.WRITE, (repository) -> repository.save(session),
				(ack) -> {
					life.ended(ack);
					life.session().live(life.changedTo(next, ack));
				});
		if (outcome != Outcome.DONE) {
			Ack unacknowledged = new Ack(0, node, began, began, this.timeline.now(), false, NodeWatch.wasBlind());
			life.session().doubt(life.perhapsChangedTo(next, unacknowledged));
		}
		return outcome;
	}

	private Outcome call(Life life, String what, int node, Duration limit, Call call, Acknowledged acknowledged) {
		SessionNode called = this.cluster.node(node);
		if (called == null) {
			return Outcome.FAILED;
		}
		NodeWatch.beforeWrite();
		long began = this.timeline.now();
		try {
			call.to(called.repository);
			long ended = this.timeline.now();
			boolean unpersisted = NodeWatch.wasUnpersisted();
			took(life, what.split(" ")[0], began, ended, limit);
			record(life, what, node, began, ended, unpersisted ? "acknowledged, in Redis only" : "acknowledged");
			acknowledged.with(new Ack(0, node, began, began, ended, unpersisted, NodeWatch.wasBlind()));
			this.figures.count("acknowledged: " + what.split(" ")[0]);
			if (unpersisted) {
				this.figures.count("acknowledged in Redis only");
			}
			return Outcome.DONE;
		}
		catch (RuntimeException ex) {
			return failed(life, what, node, called, began, ex, limit);
		}
	}

	private Outcome failed(Life life, String what, int node, SessionNode called, long began, RuntimeException ex,
			Duration limit) {
		long ended = this.timeline.now();
		String kind = what.split(" ")[0];
		if (ex instanceof SessionStoreUnavailableException) {
			record(life, what, node, began, ended, "503 " + ex.getMessage());
			this.figures.count("503: " + kind);
			took(life, kind, began, ended, limit);
			return Outcome.REFUSED;
		}
		record(life, what, node, began, ended, ex.toString());
		if (this.cluster.node(node) != called) {
			this.figures.count("under way on a node that crashed");
		}
		else {
			this.findings.unexpected(life, kind, began, ended, ex);
		}
		return Outcome.FAILED;
	}

	private void took(Life life, String what, long began, long ended, Duration limit) {
		this.figures.count("operations");
		this.figures.highest("longest " + what + ", ms", (ended - began) / 1_000_000);
		if (this.timeline.isOver(limit.plus(Limits.SCHEDULING), began, ended)) {
			this.findings.slow(life, what, began, ended, limit);
		}
	}

	private void record(Life life, String what, int node, long began, long ended, String outcome) {
		life.session().record(new Operation(what, SessionHash.of(life.id()), this.name, node, began, ended, outcome));
	}

	/**
	 * What came of a call.
	 */
	enum Outcome {

		DONE, ABSENT, REFUSED, FAILED

	}

	/**
	 * What came of a read.
	 *
	 * @param outcome the outcome
	 * @param session what was found, or {@code null}
	 */
	record Answer(Outcome outcome, ResilientSession session) {

	}

	private interface Call {

		void to(ResilientSessionRepository repository);

	}

	private interface Acknowledged {

		void with(Ack ack);

	}

}

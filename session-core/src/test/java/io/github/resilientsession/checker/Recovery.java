package io.github.resilientsession.checker;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

import io.github.resilientsession.SessionNode;
import io.github.resilientsession.checker.Client.Answer;
import io.github.resilientsession.checker.Client.Outcome;
import io.github.resilientsession.checker.ClientGroup.Graveyard;

/**
 * Sees to it that everything works again: finds out, once the stores answer, what came of
 * the ends and changes of id that nobody acknowledged, and whether every node serves
 * every session. Used by one thread, for which it has others read.
 */
final class Recovery {

	static final String READ_AT_THE_END = "read at the end";

	/**
	 * After how many sessions that it does not serve a node is not asked for more.
	 */
	private static final int GIVEN_UP = 3;

	private static final int READERS = 64;

	private final Cluster cluster;

	private final Timeline timeline;

	private final Findings findings;

	private final Figures figures;

	private final Client client;

	private final Graveyard graveyard;

	Recovery(Cluster cluster, Timeline timeline, Findings findings, Figures figures, Client client,
			Graveyard graveyard) {
		this.cluster = cluster;
		this.timeline = timeline;
		this.findings = findings;
		this.figures = figures;
		this.client = client;
		this.graveyard = graveyard;
	}

	/**
	 * Wait until every node uses both stores and serves every session again, and report
	 * what is not so within the healing time.
	 */
	void await(List<ClientGroup> groups) throws InterruptedException {
		long healed = this.timeline.now();
		Map<Life, Set<Integer>> served = new HashMap<>();
		while (true) {
			boolean done = true;
			boolean late = this.timeline.isOver(Limits.HEALING, healed, this.timeline.now());
			for (int node = 0; node < this.cluster.size(); node++) {
				done &= isWhole(node, healed, late);
			}
			for (ClientGroup group : groups) {
				done &= isServed(group.session(), served, healed, late);
			}
			if (done || late) {
				this.figures.highest("longest healing, ms", (this.timeline.now() - healed) / 1_000_000);
				return;
			}
			pause();
		}
	}

	/**
	 * Whether a node uses both stores.
	 */
	private boolean isWhole(int node, long healed, boolean late) {
		SessionNode found = this.cluster.node(node);
		boolean redis = !found.redisIsCutOff();
		boolean database = !found.durableIsCutOff();
		if (late && !(redis && database)) {
			this.findings.cutOff(node, redis ? "the database" : "Redis", healed, this.timeline.now());
		}
		return redis && database;
	}

	private boolean isServed(ClientSession session, Map<Life, Set<Integer>> served, long healed, boolean late) {
		if (session == null) {
			return true;
		}
		Life life = session.current();
		if (session.isInDoubt()) {
			if (resolve(session)) {
				return true;
			}
			if (late) {
				this.findings.notServed(life, 0, healed, this.timeline.now(),
						"whether it was ended cannot be found out");
				life.writeOff();
				session.live(life);
			}
			return false;
		}
		boolean everywhere = true;
		for (int node = 0; node < this.cluster.size() && session.isLive(); node++) {
			Set<Integer> nodes = served.computeIfAbsent(life, (key) -> new HashSet<>());
			if (!nodes.contains(node)) {
				Outcome outcome = this.client.read(life, node, false).outcome();
				if (outcome == Outcome.DONE) {
					nodes.add(node);
				}
				else if (session.isLive() && session.current() == life) {
					everywhere = false;
					if (late) {
						this.findings.notServed(life, node, healed, this.timeline.now(), outcome.toString());
					}
				}
			}
		}
		return everywhere;
	}

	/**
	 * Find out by a durable write whether the session lives under its old id: an old copy
	 * may still be there, since nobody acknowledged the change, but not after a write. A
	 * database that has given no answer may carry the change out as soon as it can, which
	 * only a write that comes after it finds out.
	 */
	private boolean resolve(ClientSession session) {
		Life life = session.current();
		int node = this.client.chooseNode(new java.util.Random(this.timeline.now()));
		Answer old = this.client.read(life, node, false);
		if (old.outcome() == Outcome.ABSENT) {
			return wasEnded(session, life, node);
		}
		if (old.outcome() != Outcome.DONE) {
			return false;
		}
		long before = probeOf(old, session);
		if (this.client.write(life, node, old.session(), session.probe()) != Outcome.DONE
				|| NodeWatch.wasUnpersisted()) {
			return false;
		}
		Answer again = this.client.read(life, node, false);
		if (again.outcome() == Outcome.DONE && probeOf(again, session) > before) {
			Life perhaps = session.perhaps();
			life.goesOn();
			session.live(life);
			if (perhaps != null) {
				perhaps.ended(foundOut(perhaps.begun().node()));
				this.graveyard.add(perhaps);
			}
			this.figures.count("in doubt: had not ended");
			return true;
		}
		return false;
	}

	private boolean wasEnded(ClientSession session, Life life, int node) {
		Life perhaps = session.perhaps();
		if (perhaps != null) {
			Outcome outcome = this.client.read(perhaps, node, false).outcome();
			if (outcome != Outcome.DONE && outcome != Outcome.ABSENT) {
				return false;
			}
		}
		life.ended(foundOut(node));
		this.graveyard.add(life);
		session.live((perhaps != null) ? perhaps : life);
		this.figures.count("in doubt: had ended");
		return true;
	}

	/**
	 * Who refused the end or the change of id may not have got through to Redis, so that
	 * the bound of staleness begins when it is found out what came of it.
	 */
	private Ack foundOut(int node) {
		long now = this.timeline.now();
		return new Ack(0, node, now, now, now, false, true);
	}

	private static long probeOf(Answer answer, ClientSession session) {
		Long value = answer.session().getAttribute(session.probe().name());
		return (value != null) ? value : 0;
	}

	/**
	 * Read everything on every node.
	 * @param groups whose sessions must be there, with every acknowledged write
	 */
	void readAll(List<ClientGroup> groups) throws InterruptedException {
		List<Life> all = new ArrayList<>();
		for (ClientGroup group : groups) {
			ClientSession session = group.session();
			if (session != null && session.isLive()) {
				all.add(session.current());
			}
		}
		all.addAll(this.graveyard.all());
		ExecutorService readers = Executors.newFixedThreadPool(READERS);
		try {
			for (int node = 0; node < this.cluster.size(); node++) {
				readAll(all, node, readers);
			}
		}
		finally {
			readers.shutdownNow();
		}
	}

	/**
	 * By many at once: a read of what Redis does not have waits for others to share a
	 * query with.
	 */
	private void readAll(List<Life> lives, int node, ExecutorService readers) throws InterruptedException {
		Queue<Life> left = new ConcurrentLinkedQueue<>(lives);
		AtomicInteger notServed = new AtomicInteger();
		Callable<Void> reader = () -> {
			for (Life life = left.poll(); life != null && notServed.get() < GIVEN_UP; life = left.poll()) {
				if (!readForSure(life, node)) {
					notServed.incrementAndGet();
				}
			}
			return null;
		};
		for (Future<Void> each : readers.invokeAll(Collections.nCopies(READERS, reader))) {
			try {
				each.get();
			}
			catch (ExecutionException ex) {
				throw new IllegalStateException("Not everything could be read", ex);
			}
		}
	}

	/**
	 * Read until there is an answer: without one, nothing has been shown.
	 * @return whether there was one
	 */
	private boolean readForSure(Life life, int node) throws InterruptedException {
		long began = this.timeline.now();
		while (true) {
			Outcome outcome = this.client.read(life, node, true).outcome();
			if (outcome == Outcome.DONE || outcome == Outcome.ABSENT) {
				this.figures.count(READ_AT_THE_END);
				return true;
			}
			if (this.timeline.isOver(Limits.HEALING, began, this.timeline.now())) {
				this.findings.notServed(life, node, began, this.timeline.now(), outcome.toString());
				return false;
			}
			pause();
		}
	}

	private static void pause() throws InterruptedException {
		new CountDownLatch(1).await(50, TimeUnit.MILLISECONDS);
	}

}

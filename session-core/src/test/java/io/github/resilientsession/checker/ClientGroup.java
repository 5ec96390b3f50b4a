package io.github.resilientsession.checker;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

import io.github.resilientsession.checker.Client.Answer;
import io.github.resilientsession.checker.Client.Outcome;

/**
 * Clients that share a session, as the windows of a browser do. The first of them logs
 * in, changes the id and logs out; each writes an attribute of its own.
 */
final class ClientGroup {

	private static final int LONGEST_PAUSE_MILLIS = 500;

	private final List<Client> clients;

	private final Graveyard graveyard;

	private final int endsPercent;

	private volatile ClientSession session;

	/**
	 * Create a group.
	 * @param endsPercent how many of a hundred steps of the first client end an id
	 */
	ClientGroup(List<Client> clients, Graveyard graveyard, int endsPercent) {
		this.clients = clients;
		this.graveyard = graveyard;
		this.endsPercent = endsPercent;
	}

	/**
	 * The session, or {@code null} if there is none yet.
	 */
	ClientSession session() {
		return this.session;
	}

	/**
	 * Let a client do what it would do next.
	 */
	void step(int member, Random random) throws InterruptedException {
		Client client = this.clients.get(member);
		ClientSession current = this.session;
		int node = client.chooseNode(random);
		if (member == 0 && isOver(current)) {
			ClientSession next = new ClientSession(this.clients.size());
			if (client.create(next, node) == Outcome.DONE) {
				this.session = next;
			}
			return;
		}
		if (current == null || !current.isLive() || random.nextInt(20) == 0) {
			Life dead = this.graveyard.choose(random);
			if (dead != null) {
				client.read(dead, node, false);
			}
			return;
		}
		use(client, member, node, current.current(), random);
	}

	private void use(Client client, int member, int node, Life life, Random random) throws InterruptedException {
		Answer answer = client.read(life, node, false);
		if (answer.outcome() != Outcome.DONE) {
			return;
		}
		boolean ends = member == 0 && random.nextInt(100) < this.endsPercent;
		if (ends && random.nextBoolean()) {
			bury(life, client.end(life, node));
		}
		else if (ends) {
			bury(life, client.changeId(life, node, answer.session(), pause(random)));
		}
		else if (random.nextInt(100) < 55) {
			client.write(life, node, answer.session(), life.session().register(member, random));
		}
		else {
			client.touch(life, node, answer.session());
		}
	}

	/**
	 * Most requests save soon after they have read, and some take a while.
	 */
	private static Duration pause(Random random) {
		return Duration.ofMillis((random.nextInt(3) == 0) ? random.nextInt(LONGEST_PAUSE_MILLIS) : 0);
	}

	private void bury(Life life, Outcome outcome) {
		if (outcome == Outcome.DONE) {
			this.graveyard.add(life);
		}
	}

	private static boolean isOver(ClientSession session) {
		if (session == null) {
			return true;
		}
		Life life = session.current();
		return !session.isInDoubt() && (life.isWrittenOff() || life.ended() != null);
	}

	/**
	 * The lives that have ended, and must not be found again.
	 */
	static final class Graveyard {

		private final List<Life> dead = new ArrayList<>();

		synchronized void add(Life life) {
			this.dead.add(life);
		}

		/**
		 * One of them, rather of the latest; or {@code null}.
		 */
		synchronized Life choose(Random random) {
			int size = this.dead.size();
			if (size == 0) {
				return null;
			}
			int back = random.nextBoolean() ? random.nextInt(Math.min(size, 40)) : random.nextInt(size);
			return this.dead.get(size - 1 - back);
		}

		synchronized List<Life> all() {
			return List.copyOf(this.dead);
		}

	}

}

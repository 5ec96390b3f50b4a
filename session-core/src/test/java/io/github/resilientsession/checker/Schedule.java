package io.github.resilientsession.checker;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;

/**
 * An endless sequence of incidents that a seed determines. Kinds of fault are dealt like
 * cards: each comes once before any comes again, so that none is left out for long.
 */
final class Schedule {

	private final Random random;

	private final int nodes;

	private final List<FaultKind> deck = new ArrayList<>();

	private int dealt;

	Schedule(long seed, int nodes) {
		this.random = new Random(seed);
		this.nodes = nodes;
	}

	/**
	 * The next incident.
	 */
	Incident next() {
		FaultKind first = draw(null);
		FaultKind second = draw(first);
		int firstNode = this.random.nextInt(this.nodes);
		int secondNode = (firstNode + 1 + this.random.nextInt(this.nodes - 1)) % this.nodes;
		Duration duration = millis(2_500, 5_500);
		Duration secondAfter = Duration.ofMillis(this.random.nextInt((int) duration.toMillis() / 2));
		this.dealt++;
		return new Incident(this.dealt, millis(300, 1_500), duration, first, firstNode, secondAfter, second,
				secondNode);
	}

	private FaultKind draw(FaultKind partner) {
		while (true) {
			for (FaultKind card : this.deck) {
				if (partner == null || card.canMeet(partner)) {
					this.deck.remove(card);
					return card;
				}
			}
			List<FaultKind> fresh = new ArrayList<>(List.of(FaultKind.values()));
			Collections.shuffle(fresh, this.random);
			this.deck.addAll(fresh);
		}
	}

	private Duration millis(int from, int to) {
		return Duration.ofMillis(from + this.random.nextInt(to - from));
	}

}

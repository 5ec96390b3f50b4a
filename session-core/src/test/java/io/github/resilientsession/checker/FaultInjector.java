package io.github.resilientsession.checker;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * Lets an incident happen, and heals it.
 */
final class FaultInjector {

	/**
	 * A server that is going down or coming up takes no orders for a while.
	 */
	private static final Duration HEALING_TRIES = Duration.ofSeconds(10);

	/**
	 * Longer than a node leaves a Redis alone that comes and goes.
	 */
	private static final Duration ALONE = Duration.ofSeconds(5);

	static final String DEALT = "fault dealt: ";

	static final String INJECTED = "fault injected: ";

	private final Cluster cluster;

	private final Timeline timeline;

	private final Figures figures;

	FaultInjector(Cluster cluster, Timeline timeline, Figures figures) {
		this.cluster = cluster;
		this.timeline = timeline;
		this.figures = figures;
	}

	/**
	 * Inject both faults, wait, and heal both, the second first; but nothing of a table
	 * can be healed while its rows are locked.
	 */
	void run(Incident incident) throws InterruptedException {
		CountDownLatch over = new CountDownLatch(1);
		Active first = new Active(incident.first(), incident.firstNode(), incident.number(), incident.duration(), over);
		first.start();
		over.await(incident.secondAfter().toMillis(), TimeUnit.MILLISECONDS);
		Duration rest = incident.duration().minus(incident.secondAfter());
		Active second = new Active(incident.second(), incident.secondNode(), incident.number(), rest, over);
		second.start();
		over.await(rest.toMillis(), TimeUnit.MILLISECONDS);
		over.countDown();
		boolean locked = incident.first() == FaultKind.DATABASE_ROWS_LOCKED;
		(locked ? first : second).heal();
		(locked ? second : first).heal();
	}

	/**
	 * Inject one fault, wait, and heal it.
	 */
	void runAlone(FaultKind kind) throws InterruptedException {
		CountDownLatch over = new CountDownLatch(1);
		Active only = new Active(kind, 0, 0, ALONE, over);
		only.start();
		over.await(ALONE.toMillis(), TimeUnit.MILLISECONDS);
		over.countDown();
		only.heal();
	}

	/**
	 * A fault and the thread that injects it.
	 */
	private final class Active extends Thread {

		private final FaultKind kind;

		private final Fault fault;

		private final CountDownLatch over;

		private final Timeline.Period period;

		private final List<Timeline.Period> ofDatabase = new ArrayList<>();

		private Active(FaultKind kind, int node, int number, Duration duration, CountDownLatch over) {
			super("fault-" + kind);
			this.kind = kind;
			this.over = over;
			this.fault = fault(kind, node, number, duration);
			this.period = FaultInjector.this.timeline.fault(kind.struckNode(node));
			FaultInjector.this.figures.count(DEALT + kind);
			int struck = kind.strikesOneNode() ? node : Timeline.ALL_NODES;
			if (kind.isOfDatabase()) {
				this.ofDatabase.add(FaultInjector.this.timeline.databaseDown(struck));
			}
			if (kind.keepsFromReading()) {
				this.ofDatabase.add(FaultInjector.this.timeline.databaseAway(struck));
			}
		}

		private static Fault firstOf(Fault... candidates) {
			for (Fault candidate : candidates) {
				if (candidate != null) {
					return candidate;
				}
			}
			throw new IllegalStateException("A kind of fault that nobody can inject");
		}

		private Fault fault(FaultKind kind, int node, int number, Duration duration) {
			FaultInjector injector = FaultInjector.this;
			return firstOf(new RedisFaults(injector.cluster, injector.timeline).of(kind, duration),
					new DatabaseFaults(injector.cluster).of(kind),
					new NodeFaults(injector.cluster).of(kind, node, number % 2 == 0));
		}

		@Override
		public void run() {
			try {
				this.fault.inject(this.over);
				FaultInjector.this.figures.count(INJECTED + this.kind);
			}
			catch (Exception ex) {
				FaultInjector.this.figures.count("fault not injected: " + this.kind);
				System.out.println("    " + this.kind + " could not be injected: " + ex);
			}
		}

		private void heal() throws InterruptedException {
			join();
			long deadline = System.nanoTime() + HEALING_TRIES.toNanos();
			while (!isHealed(System.nanoTime() > deadline)) {
				new CountDownLatch(1).await(100, TimeUnit.MILLISECONDS);
			}
			this.period.end();
			this.ofDatabase.forEach(Timeline.Period::end);
		}

		private boolean isHealed(boolean last) {
			try {
				this.fault.heal();
				return true;
			}
			catch (Exception ex) {
				if (last) {
					throw new IllegalStateException("The checker cannot heal " + this.kind, ex);
				}
				return false;
			}
		}

	}

}

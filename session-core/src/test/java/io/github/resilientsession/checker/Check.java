package io.github.resilientsession.checker;

import java.io.PrintStream;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import java.util.stream.Stream;

import io.github.resilientsession.checker.ClientGroup.Graveyard;

/**
 * One run of the checker.
 */
final class Check {

	private static final int THREADS = 48;

	private final CheckSettings settings;

	private final Supplier<Incident> incidents;

	private final PrintStream out;

	private final Timeline timeline;

	private final Figures figures = new Figures();

	private final Findings findings;

	private final Judge judge;

	private final Graveyard graveyard = new Graveyard();

	private final List<ClientGroup> groups = new ArrayList<>();

	private volatile boolean stopped;

	/**
	 * Create a run.
	 * @param incidents gives one incident after the other; {@code null} ends the run
	 * before its time
	 */
	Check(CheckSettings settings, Supplier<Incident> incidents, PrintStream out) {
		this.settings = settings;
		this.timeline = new Timeline(settings.clockOffsets().size());
		this.findings = new Findings(this.timeline, this.figures);
		this.judge = new Judge(this.timeline, this.figures, this.findings);
		this.incidents = incidents;
		this.out = out;
	}

	/**
	 * Run, and judge.
	 * @return the violations, one of them if the run could not be ended
	 */
	List<Violation> run() {
		ScheduledExecutorService threads = Executors.newScheduledThreadPool(THREADS);
		try (Cluster cluster = new Cluster(this.timeline, this.settings.clockOffsets(), this.settings.variant());
				TtlScan scan = new TtlScan(cluster, this.findings, this.figures);
				Hiccups hiccups = new Hiccups(this.timeline, this.figures)) {
			hiccups.start();
			scan.start();
			startClients(cluster, threads);
			Recovery recovery = new Recovery(cluster, this.timeline, this.findings, this.figures,
					client("the recovery", cluster), this.graveyard);
			recovery.await(this.groups);
			inject(cluster, recovery);
			this.stopped = true;
			threads.shutdown();
			if (!threads.awaitTermination(60, TimeUnit.SECONDS)) {
				this.findings.checkFailed("Clients still wait for an answer a minute after the last fault");
			}
			readAllAtTheEnd(cluster, recovery);
			checkItself();
		}
		catch (Exception ex) {
			failed(ex);
		}
		finally {
			threads.shutdownNow();
		}
		return this.findings.violations();
	}

	/**
	 * Whoever looks at nothing finds nothing.
	 */
	private void checkItself() {
		for (String figure : List.of(TtlScan.SCANS, Recovery.READ_AT_THE_END, "acknowledged: write")) {
			if (this.figures.of(figure) == 0) {
				this.findings.checkFailed("There is nothing to count as '" + figure + "'");
			}
		}
		notInjected().forEach((kind) -> this.findings.checkFailed(kind + " could not be injected a single time"));
	}

	private void failed(Throwable failure) {
		failure.printStackTrace(this.out);
		this.findings.checkFailed(failure.toString());
	}

	/**
	 * What has been found so far.
	 */
	List<Violation> violations() {
		return this.findings.violations();
	}

	Figures figures() {
		return this.figures;
	}

	private Client client(String name, Cluster cluster) {
		return new Client(name, cluster, this.timeline, this.judge, this.findings, this.figures,
				this.settings.maxInactiveInterval());
	}

	private void startClients(Cluster cluster, ScheduledExecutorService threads) {
		for (int i = 0; i < this.settings.groups(); i++) {
			List<Client> members = new ArrayList<>();
			for (int j = 0; j < this.settings.clientsPerGroup(); j++) {
				members.add(client("client " + i + "." + j, cluster));
			}
			ClientGroup group = new ClientGroup(members, this.graveyard, this.settings.endsPercent());
			this.groups.add(group);
			for (int j = 0; j < members.size(); j++) {
				new Turns(threads, group, j, new Random(this.settings.seed() + 1_000L * i + j)).next();
			}
		}
	}

	private void inject(Cluster cluster, Recovery recovery) throws InterruptedException {
		long end = this.timeline.now() + this.settings.duration().toNanos();
		FaultInjector injector = new FaultInjector(cluster, this.timeline, this.figures);
		while (this.timeline.now() < end) {
			Incident incident = this.incidents.get();
			if (incident == null) {
				break;
			}
			new CountDownLatch(1).await(incident.calmBefore().toMillis(), TimeUnit.MILLISECONDS);
			this.out.printf(Locale.ROOT, "%8.3f s  %s%n", this.timeline.now() / 1e9, incident);
			injector.run(incident);
			recovery.await(this.groups);
			this.figures.count("incidents");
		}
		for (FaultKind kind : notInjected()) {
			// From a Redis that hangs, for instance, comes no reply that could be cut.
			this.out.printf(Locale.ROOT, "%8.3f s  %s alone, since the other fault of its incident prevented it%n",
					this.timeline.now() / 1e9, kind);
			injector.runAlone(kind);
			recovery.await(this.groups);
		}
	}

	private List<FaultKind> notInjected() {
		return Stream.of(FaultKind.values())
			.filter((kind) -> this.figures.of(FaultInjector.DEALT + kind) > 0
					&& this.figures.of(FaultInjector.INJECTED + kind) == 0)
			.toList();
	}

	/**
	 * Everything is read from the copies, and then, without copies, from the database.
	 */
	private void readAllAtTheEnd(Cluster cluster, Recovery recovery) throws InterruptedException, SQLException {
		recovery.await(this.groups);
		new Agreement(cluster, this.timeline, this.findings, this.figures).await();
		new CountDownLatch(1).await(Judge.STALENESS_BOUND.toMillis(), TimeUnit.MILLISECONDS);
		// Sessions go on expiring meanwhile, so that this must not take long.
		long began = this.timeline.now();
		recovery.readAll(this.groups);
		cluster.administer((redis) -> redis.flushall());
		recovery.readAll(this.groups);
		this.figures.highest("reading all at the end, ms", (this.timeline.now() - began) / 1_000_000);
	}

	/**
	 * Print what has been found, the number of violations last.
	 * @return the violations
	 */
	List<Violation> report() {
		this.findings.violations().forEach(this.out::print);
		this.out.println("seed: " + this.settings.seed());
		this.out.println("duration, s: " + this.settings.duration().toSeconds());
		this.out.println("nodes: " + this.settings.clockOffsets().size());
		this.out.println("clients: " + this.settings.groups() * this.settings.clientsPerGroup());
		for (ViolationKind kind : ViolationKind.values()) {
			this.figures.of("violations: " + kind);
		}
		for (String figure : List.of(Judge.STALE, Judge.STALE_ENDED, Judge.TAKEN_BACK + "writes",
				Judge.TAKEN_BACK + "sessions or ids created", Judge.TAKEN_BACK + "sessions or ids ended")) {
			this.figures.of(figure);
		}
		this.figures.each((name, value) -> this.out.println(name + ": " + value));
		this.out.println("violations: " + this.findings.violations().size());
		return this.findings.violations();
	}

	/**
	 * One client's turns, each a while after the one before.
	 */
	private final class Turns implements Runnable {

		private final ScheduledExecutorService threads;

		private final ClientGroup group;

		private final int member;

		private final Random random;

		private Turns(ScheduledExecutorService threads, ClientGroup group, int member, Random random) {
			this.threads = threads;
			this.group = group;
			this.member = member;
			this.random = random;
		}

		private void next() {
			long pause = 1 + this.random.nextInt(2 * (int) Check.this.settings.thinkTime().toMillis());
			this.threads.schedule(this, pause, TimeUnit.MILLISECONDS);
		}

		@Override
		public void run() {
			if (Check.this.stopped) {
				return;
			}
			try {
				this.group.step(this.member, this.random);
			}
			catch (InterruptedException ex) {
				Thread.currentThread().interrupt();
				return;
			}
			catch (RuntimeException | Error ex) {
				failed(ex);
			}
			if (!Check.this.stopped) {
				next();
			}
		}

	}

}

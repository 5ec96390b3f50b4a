package io.github.resilientsession.reconcile;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;

import io.github.resilientsession.circuit.TierCircuit;
import io.github.resilientsession.circuit.TierUnavailableException;
import io.github.resilientsession.durable.DurableTier;
import io.github.resilientsession.durable.PendingRow;
import io.github.resilientsession.durable.RowVersion;
import io.github.resilientsession.flow.Convergence;
import io.github.resilientsession.flow.EndedCopies;
import io.github.resilientsession.flow.RebuildWatch;
import io.github.resilientsession.record.SessionRecord;
import io.github.resilientsession.record.SessionStoreListener;
import io.github.resilientsession.redis.RedisTier;
import io.github.resilientsession.redis.RedisTierException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Tells Redis of the durable commits that it missed. It always puts the committed state
 * or the tombstone, and never just deletes: a rebuild that is in flight would put an
 * older state into the gap.
 */
public final class PendingReconciler {

	private static final int PAGE = 100;

	/**
	 * How many times as long as a pass to wait that has left rows behind.
	 */
	private static final int WAIT_FACTOR = 20;

	private static final Duration MAX_WAIT = Duration.ofSeconds(30);

	private static final Logger logger = LoggerFactory.getLogger(PendingReconciler.class);

	private final RedisTier redis;

	private final DurableTier durable;

	private final TierCircuit durableCircuit;

	private final Convergence convergence;

	private final EndedCopies endedCopies;

	private final RebuildWatch rebuilds;

	private final SessionStoreListener listener;

	private volatile int page = PAGE;

	private volatile long notBefore = System.nanoTime();

	public PendingReconciler(RedisTier redis, DurableTier durable, TierCircuit durableCircuit, Convergence convergence,
			EndedCopies endedCopies, RebuildWatch rebuilds, SessionStoreListener listener) {
		this.redis = redis;
		this.durable = durable;
		this.durableCircuit = durableCircuit;
		this.convergence = convergence;
		this.endedCopies = endedCopies;
		this.rebuilds = rebuilds;
		this.listener = listener;
	}

	/**
	 * Whether it is time for another pass. One that has left rows behind, since Redis had
	 * no room for them, was for nothing and would be again: it is repeated, but only
	 * after a multiple of the time that it took.
	 * @return whether to {@link #settle()}, unless Redis is about to be trusted again,
	 * which always has to wait for that
	 */
	public boolean isDue() {
		return System.nanoTime() - this.notBefore >= 0;
	}

	/**
	 * Settle, in one pass, everything that is pending when it begins.
	 * @throws RedisTierException if Redis failed again
	 * @throws TierUnavailableException if the durable store cannot say what is pending
	 */
	public void settle() {
		long start = System.nanoTime();
		long settled = 0;
		long left = 0;
		String last = "";
		// Another thread may settle as well, and change it.
		int limit = this.page;
		List<PendingRow> page;
		do {
			String after = last;
			page = load(after, limit);
			try {
				Told told = tell(page);
				left += told.refused();
				settled += clear(told.rows());
			}
			catch (RuntimeException ex) {
				lookAfter(page.stream().map(PendingRow::session));
				throw ex;
			}
			if (!page.isEmpty()) {
				last = page.get(page.size() - 1).id();
			}
		}
		while (page.size() == limit);
		this.page = Math.min(2 * limit, PAGE);
		long end = System.nanoTime();
		this.notBefore = (left > 0) ? end + Math.min(WAIT_FACTOR * (end - start), MAX_WAIT.toNanos()) : end;
		if (settled > 0) {
			logger.info("Redis has been told of {} session writes that it had missed.", settled);
		}
	}

	/**
	 * Large sessions may not fit into the time limit, as many as they are.
	 */
	private List<PendingRow> load(String after, int limit) {
		try {
			return this.durableCircuit.call(() -> this.durable.pending(after, limit));
		}
		catch (TierUnavailableException ex) {
			this.page = Math.max(1, limit / 2);
			throw ex;
		}
	}

	/**
	 * Take the marks back. Where the row has a newer version by now, somebody else tells
	 * Redis of that; but if Redis has lost that again meanwhile, the older state has
	 * filled the gap. Where the row is just being written, it is for the next pass.
	 * @return how many marks have been taken back
	 */
	private int clear(List<PendingRow> told) {
		if (told.isEmpty()) {
			return 0;
		}
		Set<String> settled = this.durableCircuit.call(() -> this.durable.settled(told));
		Map<String, PendingRow> left = told.stream()
			.filter((row) -> !settled.contains(row.id()))
			.collect(Collectors.toMap(PendingRow::id, Function.identity()));
		settled.forEach((id) -> this.listener.onSettled());
		if (left.isEmpty()) {
			return settled.size();
		}
		Map<String, RowVersion> now = this.durableCircuit.call(() -> this.durable.versions(left.keySet()));
		this.redis.discardAll(left.values()
			.stream()
			.filter((row) -> !isVersion(row, now.get(row.id())))
			.map(PendingRow::session)
			.filter(Objects::nonNull)
			.toList());
		return settled.size();
	}

	/**
	 * What was put, or may have been, and could not be compared with its row afterwards.
	 */
	private void lookAfter(Stream<? extends @Nullable SessionRecord> sessions) {
		sessions.filter(Objects::nonNull).forEach((session) -> this.rebuilds.rebuilt(session.withoutAttributes()));
	}

	private static boolean isVersion(PendingRow row, @Nullable RowVersion version) {
		return version != null && version.version() == row.version();
	}

	/**
	 * Tell Redis of a page: with a few round trips what it has nothing of, or an older
	 * copy, the rest one by one. What was loaded too long ago fills no gap: a newer state
	 * may have been there.
	 */
	private Told tell(List<PendingRow> page) {
		long late = System.nanoTime() + this.redis.lateness().toNanos();
		List<SessionRecord> living = page.stream().map(PendingRow::session).filter(Objects::nonNull).toList();
		Set<String> agreed = putAllOverOlder(living);
		List<PendingRow> told = new ArrayList<>(page.size());
		int refused = 0;
		for (PendingRow row : page) {
			if (row.session() == null) {
				continue;
			}
			if (agreed.contains(row.id())) {
				told.add(row);
			}
			else if (System.nanoTime() - late >= 0) {
				this.convergence.replaceOlder(row.session());
			}
			else if (this.convergence.convergeOrHide(row.session())) {
				told.add(row);
			}
			else {
				refused++;
			}
		}
		List<PendingRow> ended = page.stream().filter((row) -> row.session() == null).toList();
		Set<String> over = this.endedCopies.endAll(ended);
		for (PendingRow row : ended) {
			if (over.contains(row.id())) {
				told.add(row);
			}
			else {
				refused++;
			}
		}
		return new Told(told, refused);
	}

	private Set<String> putAllOverOlder(List<SessionRecord> living) {
		try {
			return this.redis.putAllOverOlder(living);
		}
		catch (RedisTierException ex) {
			logger.debug("A page could not be put at once, and is put one by one", ex);
			lookAfter(living.stream());
			return Set.of();
		}
	}

	/**
	 * What came of a page.
	 *
	 * @param rows those of which Redis has been told
	 * @param refused how many it had no room for, or could not be told yet
	 */
	private record Told(List<PendingRow> rows, int refused) {

	}

}

package io.github.resilientsession.durable;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Function;
import java.util.function.ToLongFunction;

import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

import org.springframework.dao.QueryTimeoutException;

/**
 * Lets requests that write at the same time share one statement and one commit. Whoever
 * comes first executes what is there, and those who come meanwhile wait and are the next
 * group: nobody waits for others to come.
 * <p>
 * The invariant: an item is executed at most once, by one thread, and never after its
 * caller was told that it is not. Safe for use by many threads. The idea is that of the
 * group commit of databases (DeWitt et al., Implementation Techniques for Main Memory
 * Database Systems, 1984).
 *
 * @param <T> what is executed
 * @param <R> what comes of it
 */
final class GroupCommit<T, R> {

	private static final Logger logger = LoggerFactory.getLogger(GroupCommit.class);

	/**
	 * Between looks at what is under way, when it takes longer than is waited for a turn.
	 */
	private static final Duration SHORT_PAUSE = Duration.ofMillis(5);

	/**
	 * How many times as long as for a turn to wait for the work itself, which keeps to a
	 * time limit unless the network has swallowed what it writes: longer than it takes.
	 */
	private static final int OVERDUE_FACTOR = 10;

	private final int maxSize;

	private final long maxBytes;

	private final ToLongFunction<T> bytes;

	private final Duration patience;

	private final Function<List<T>, List<R>> work;

	/**
	 * Those that are waiting, and some that have given up: no more than there are
	 * requests.
	 */
	private final Queue<Member<T, R>> waiting = new ConcurrentLinkedQueue<>();

	/**
	 * The group that is under way, if any. A second one beside it would make both
	 * smaller.
	 */
	private final AtomicReference<@Nullable Turn> underWay = new AtomicReference<>();

	/**
	 * Create an empty group.
	 * @param maxSize how many items are executed together at most
	 * @param maxBytes how many bytes, where no more items are added
	 * @param bytes how many bytes an item has
	 * @param patience how long an item waits for its turn
	 * @param work executes items, and returns as many results in the same order; keeps to
	 * a time limit by itself
	 */
	GroupCommit(int maxSize, long maxBytes, ToLongFunction<T> bytes, Duration patience,
			Function<List<T>, List<R>> work) {
		this.maxSize = maxSize;
		this.maxBytes = maxBytes;
		this.bytes = bytes;
		this.patience = patience;
		this.work = work;
	}

	/**
	 * Execute an item together with others.
	 * @param item the item
	 * @param next what to begin, as soon as it has been executed, with what came of it,
	 * or {@code null}: the caller goes on when that has ended, and so need not wait
	 * twice. It does not wait and does not throw; another thread runs it
	 * @return what came of it
	 * @throws TurnTimeoutException if its turn did not come; it is not executed
	 * @throws QueryTimeoutException if its turn does not end; it may be executed yet
	 * @throws RuntimeException what the work failed with
	 */
	R execute(T item, @Nullable Function<R, ? extends @Nullable CompletionStage<?>> next) {
		Member<T, R> member = new Member<>(item, next);
		this.waiting.add(member);
		long deadline = System.nanoTime() + this.patience.toNanos();
		boolean interrupted = false;
		try {
			// An item is entered before a turn is tried for, and a turn ended before the
			// next item is looked for: one of the two threads sees the other.
			while (!member.isDone()) {
				Turn turn = member.isWaiting() ? begin() : null;
				if (turn != null) {
					executeGroup(turn);
					continue;
				}
				long left = deadline - System.nanoTime();
				if (left <= 0 && member.goesOnAlone()) {
					break;
				}
				if (left <= 0 && member.giveUp()) {
					// It may have been woken for the next group.
					wakeNext();
					throw new TurnTimeoutException(this.patience);
				}
				if (-left >= overdue().toNanos() && member.abandon()) {
					throw new QueryTimeoutException("Session writes together with this one took longer than "
							+ overdue().toMillis() + " ms; it may have been executed");
				}
				LockSupport.parkNanos(this, (left > 0) ? left : SHORT_PAUSE.toNanos());
				interrupted |= Thread.interrupted();
			}
			return member.result();
		}
		finally {
			if (interrupted) {
				Thread.currentThread().interrupt();
			}
		}
	}

	private Duration overdue() {
		return this.patience.multipliedBy(OVERDUE_FACTOR);
	}

	/**
	 * Begin a turn, unless there is one that is not overdue.
	 */
	private @Nullable Turn begin() {
		Turn current = this.underWay.get();
		long now = System.nanoTime();
		if (current != null && now - current.overdueAt < 0) {
			return null;
		}
		Turn next = new Turn(now + overdue().toNanos());
		return this.underWay.compareAndSet(current, next) ? next : null;
	}

	private void executeGroup(Turn turn) {
		List<Member<T, R>> group = new ArrayList<>(this.maxSize);
		try {
			take(group);
			if (!group.isEmpty()) {
				execute(group);
			}
		}
		// An OutOfMemoryError, perhaps: whoever was taken must not wait forever.
		catch (RuntimeException | Error ex) {
			group.forEach((member) -> member.executed(new Outcome<>(null, ex)));
		}
		finally {
			this.underWay.compareAndSet(turn, null);
			wakeNext();
			// Last: the database need not wait for them to wake up.
			group.forEach(Member::goOn);
		}
	}

	private void take(List<Member<T, R>> group) {
		long size = 0;
		while (group.size() < this.maxSize && size < this.maxBytes) {
			Member<T, R> next = this.waiting.poll();
			if (next == null) {
				return;
			}
			// There is room for it: it is added for sure once it is taken.
			if (next.take()) {
				group.add(next);
				size += this.bytes.applyAsLong(next.item());
			}
		}
	}

	private void execute(List<Member<T, R>> group) {
		Throwable failure = null;
		List<R> results = List.of();
		try {
			results = this.work.apply(group.stream().map(Member::item).toList());
			if (results.size() != group.size()) {
				throw new IllegalStateException(group.size() + " items had " + results.size() + " results");
			}
		}
		catch (RuntimeException | Error ex) {
			failure = ex;
		}
		for (int i = 0; i < group.size(); i++) {
			group.get(i).executed(new Outcome<>((failure == null) ? results.get(i) : null, failure));
		}
	}

	private void wakeNext() {
		for (Member<T, R> next = this.waiting.peek(); next != null; next = this.waiting.peek()) {
			if (next.isWaiting()) {
				next.wake();
				return;
			}
			// It has given up.
			this.waiting.remove(next);
		}
	}

	/**
	 * The time of one group. Two are never equal.
	 */
	private static final class Turn {

		/**
		 * By {@link System#nanoTime()}.
		 */
		private final long overdueAt;

		Turn(long overdueAt) {
			this.overdueAt = overdueAt;
		}

	}

	/**
	 * An item, and the thread that waits for it.
	 */
	private static final class Member<T, R> {

		private static final Object WAITING = "waiting";

		private static final Object TAKEN = "taken";

		private static final Object GIVEN_UP = "given up";

		private static final Object ABANDONED = "abandoned";

		private final T item;

		private final @Nullable Function<R, ? extends @Nullable CompletionStage<?>> next;

		private final Thread thread = Thread.currentThread();

		/**
		 * One of the four, or the outcome.
		 */
		private final AtomicReference<Object> state = new AtomicReference<>(WAITING);

		private final AtomicReference<Next> begun = new AtomicReference<>(Next.NOT_BEGUN);

		private volatile boolean done;

		Member(T item, @Nullable Function<R, ? extends @Nullable CompletionStage<?>> next) {
			this.item = item;
			this.next = next;
		}

		T item() {
			return this.item;
		}

		boolean isWaiting() {
			return this.state.get() == WAITING;
		}

		/**
		 * Whether it was executed and what comes next either goes on by itself or, from
		 * now on, is not going to be begun.
		 */
		boolean goesOnAlone() {
			return this.state.get() instanceof Outcome<?>
					&& (this.begun.compareAndSet(Next.NOT_BEGUN, Next.SKIPPED) || this.begun.get() == Next.BEGUN);
		}

		/**
		 * Whether it was executed, and what comes next has ended.
		 */
		boolean isDone() {
			return this.done;
		}

		boolean take() {
			return this.state.compareAndSet(WAITING, TAKEN);
		}

		/**
		 * Unless there is an outcome, or nobody waits for one any more.
		 */
		void executed(Outcome<R> outcome) {
			this.state.compareAndSet(TAKEN, outcome);
		}

		/**
		 * Begin what comes next, and wake the thread when that has ended.
		 */
		void goOn() {
			CompletionStage<?> stage = begin();
			if (stage == null) {
				end();
			}
			else {
				stage.whenComplete((answer, failure) -> end());
			}
		}

		private @Nullable CompletionStage<?> begin() {
			if (this.next == null || !isSuccessful() || !this.begun.compareAndSet(Next.NOT_BEGUN, Next.BEGINNING)) {
				return null;
			}
			try {
				return this.next.apply(result());
			}
			// Others of the group are not to suffer from it, nor what was executed.
			catch (RuntimeException | Error ex) {
				logger.debug("What follows a write was not begun", ex);
				return null;
			}
			finally {
				this.begun.set(Next.BEGUN);
			}
		}

		private void end() {
			this.done = true;
			wake();
		}

		/**
		 * @return false if it is under way
		 */
		boolean giveUp() {
			return this.state.compareAndSet(WAITING, GIVEN_UP);
		}

		/**
		 * @return false if it is not under way any more
		 */
		boolean abandon() {
			return this.state.compareAndSet(TAKEN, ABANDONED);
		}

		private boolean isSuccessful() {
			return this.state.get() instanceof Outcome<?> outcome && !outcome.failed();
		}

		void wake() {
			if (this.thread != Thread.currentThread()) {
				LockSupport.unpark(this.thread);
			}
		}

		@SuppressWarnings({ "unchecked", "NullAway" })
		R result() {
			return ((Outcome<R>) this.state.get()).get();
		}

	}

	/**
	 * What came of an item.
	 */
	private record Outcome<R>(@Nullable R result, @Nullable Throwable failure) {

		boolean failed() {
			return this.failure != null;
		}

		@SuppressWarnings("NullAway")
		R get() {
			if (this.failure instanceof Error error) {
				throw error;
			}
			if (this.failure != null) {
				throw (RuntimeException) this.failure;
			}
			return this.result;
		}

	}

	/**
	 * How far what comes next is.
	 */
	private enum Next {

		NOT_BEGUN, BEGINNING, BEGUN, SKIPPED

	}

	/**
	 * Thrown when the turn of an item did not come: what was executed before it took too
	 * long, which says nothing about what would have come of it.
	 */
	static final class TurnTimeoutException extends QueryTimeoutException {

		TurnTimeoutException(Duration patience) {
			super("Session writes before this one took longer than " + patience.toMillis()
					+ " ms; it was not executed");
		}

	}

}

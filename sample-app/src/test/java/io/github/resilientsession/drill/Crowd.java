package io.github.resilientsession.drill;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;

import org.HdrHistogram.ConcurrentHistogram;
import org.HdrHistogram.Histogram;
import org.jspecify.annotations.Nullable;

/**
 * Visitors of a shop, and what each of them knows: their session, what was acknowledged
 * of their cart, and whether they have logged out. Each makes one request at a time, so
 * that there is never a doubt what the next must find; after a request that failed both
 * answers are right.
 */
final class Crowd implements AutoCloseable {

	private static final int THREADS = 64;

	private static final long MAX_LATENCY = Duration.ofMinutes(5).toNanos();

	/**
	 * Of a hundred visits, how many put something into the cart; the others look.
	 */
	private static final int PURCHASES = 20;

	/**
	 * So often whoever gets no answer tries again in the end.
	 */
	private static final int ROUNDS = 10;

	private final Shop shop;

	private final List<Visitor> visitors = new ArrayList<>();

	private final ExecutorService threads = Executors.newFixedThreadPool(THREADS);

	private final AtomicLong visits = new AtomicLong();

	private final AtomicLong errors = new AtomicLong();

	private final AtomicLong falseLogouts = new AtomicLong();

	private final AtomicLong lostWrites = new AtomicLong();

	private final AtomicLong resurrected = new AtomicLong();

	private final Histogram latencies = new ConcurrentHistogram(MAX_LATENCY, 3);

	private volatile boolean shopping;

	private volatile int active;

	private final List<Future<?>> shoppers = new ArrayList<>();

	Crowd(Shop shop) {
		this.shop = shop;
	}

	/**
	 * Let the visitors of the beginning log in, as fast as it goes.
	 * @throws IllegalStateException if one of them could not: then nothing can be said of
	 * what comes
	 */
	void begin(int count) throws Exception {
		int refused = come(count);
		if (refused > 0) {
			throw new IllegalStateException(
					refused + " of " + count + " visitors could not log in before anything had happened");
		}
	}

	/**
	 * Let more visitors log in, as fast as it goes.
	 * @return how many of them could not
	 */
	int come(int count) throws Exception {
		List<Visitor> more = new ArrayList<>();
		for (int i = 0; i < count; i++) {
			more.add(new Visitor());
		}
		int refused = each(more, (visitor) -> visitor.logIn()).size();
		synchronized (this.visitors) {
			this.visitors.addAll(more);
		}
		this.active = this.visitors.size();
		return refused;
	}

	/**
	 * Let some visitors do something, as fast as it goes.
	 * @return those who got an error
	 */
	private List<Visitor> each(List<Visitor> some, Action action) throws Exception {
		AtomicInteger next = new AtomicInteger();
		Queue<Visitor> refused = new ConcurrentLinkedQueue<>();
		List<Future<?>> parts = new ArrayList<>();
		for (int i = 0; i < THREADS / 2; i++) {
			parts.add(this.threads.submit(() -> {
				for (int at = next.getAndIncrement(); at < some.size(); at = next.getAndIncrement()) {
					if (!some.get(at).request(action)) {
						refused.add(some.get(at));
					}
				}
			}));
		}
		for (Future<?> part : parts) {
			part.get();
		}
		return List.copyOf(refused);
	}

	/**
	 * Let a part of the visitors put something into their carts, the next part log out.
	 */
	void change(double buyers, double leavers) throws Exception {
		int buying = (int) (buyers * this.visitors.size());
		int leaving = (int) (leavers * this.visitors.size());
		List<Visitor> refused = new ArrayList<>(each(this.visitors.subList(0, buying), (visitor) -> visitor.buy()));
		refused.addAll(each(this.visitors.subList(buying, buying + leaving), (visitor) -> visitor.logOut()));
		if (!refused.isEmpty()) {
			throw new IllegalStateException(refused.size() + " visitors got an error before anything had happened");
		}
	}

	/**
	 * Only the first visitors go on; the others are logged in, and idle.
	 */
	void onlyActive(int count) {
		this.active = count;
	}

	/**
	 * Begin to visit. Visits fall due at a constant rate, whether those before have been
	 * answered or not, as those of users do.
	 */
	void goShopping(int visitsPerSecond) {
		this.shopping = true;
		long start = System.nanoTime();
		AtomicLong tickets = new AtomicLong();
		for (int i = 0; i < THREADS / 2; i++) {
			this.shoppers.add(this.threads.submit(() -> {
				while (this.shopping) {
					long due = start + tickets.getAndIncrement() * TimeUnit.SECONDS.toNanos(1) / visitsPerSecond;
					for (long left = due - System.nanoTime(); left > 0; left = due - System.nanoTime()) {
						LockSupport.parkNanos(left);
					}
					any().visit(due);
				}
			}));
		}
	}

	private Visitor any() {
		synchronized (this.visitors) {
			return this.visitors.get(ThreadLocalRandom.current().nextInt(this.active));
		}
	}

	/**
	 * End it, and wait for the last visits.
	 */
	void stopShopping() throws Exception {
		this.shopping = false;
		for (Future<?> shopper : this.shoppers) {
			shopper.get(2, TimeUnit.MINUTES);
		}
		this.shoppers.clear();
	}

	/**
	 * Let everybody look once, and whoever was logged out log in again; not all may get
	 * an answer.
	 */
	void comeBack() throws Exception {
		each(List.copyOf(this.visitors), (visitor) -> visitor.look());
	}

	/**
	 * Let everybody look once: what was lost is found out. Who gets an error, or is in
	 * the middle of another request, looks again.
	 * @return how many have not got an answer in the end
	 */
	int lookAtAll() throws Exception {
		List<Visitor> left = List.copyOf(this.visitors);
		for (int round = 1; round <= ROUNDS && !left.isEmpty(); round++) {
			if (round > 1) {
				TimeUnit.SECONDS.sleep(2);
			}
			left = each(left, (visitor) -> visitor.look());
		}
		return left.size();
	}

	/**
	 * Forget how long visits have taken so far.
	 */
	void forgetLatencies() {
		this.latencies.reset();
	}

	double p99Millis() {
		return this.latencies.getValueAtPercentile(99) / 1e6;
	}

	int size() {
		return this.visitors.size();
	}

	long visits() {
		return this.visits.get();
	}

	long errors() {
		return this.errors.get();
	}

	long falseLogouts() {
		return this.falseLogouts.get();
	}

	long lostWrites() {
		return this.lostWrites.get();
	}

	long resurrected() {
		return this.resurrected.get();
	}

	@Override
	public void close() {
		this.shopping = false;
		this.threads.shutdownNow();
	}

	/**
	 * What a visitor does.
	 */
	private interface Action {

		void perform(Visitor visitor);

	}

	/**
	 * A visitor of the shop.
	 */
	final class Visitor {

		private final AtomicBoolean busy = new AtomicBoolean();

		private String id = "";

		/**
		 * How much is in the cart, as far as was acknowledged.
		 */
		private int acknowledged;

		private boolean leaving;

		private boolean gone;

		/**
		 * Do something, unless another request of the same visitor is under way.
		 * @return whether it was done, and answered
		 */
		boolean request(Action action) {
			if (!this.busy.compareAndSet(false, true)) {
				return false;
			}
			try {
				action.perform(this);
				return true;
			}
			catch (RuntimeException ex) {
				Crowd.this.errors.incrementAndGet();
				return false;
			}
			finally {
				this.busy.set(false);
			}
		}

		void visit(long due) {
			request((visitor) -> {
				try {
					if (ThreadLocalRandom.current().nextInt(100) < PURCHASES) {
						buy();
					}
					else {
						look();
					}
				}
				finally {
					Crowd.this.visits.incrementAndGet();
					Crowd.this.latencies.recordValue(Math.min(System.nanoTime() - due, MAX_LATENCY));
				}
			});
		}

		void logIn() {
			this.id = Crowd.this.shop.logIn();
			this.acknowledged = 0;
		}

		void look() {
			if (isHere()) {
				found(Crowd.this.shop.look(this.id), 0);
			}
		}

		void buy() {
			if (isHere()) {
				found(Crowd.this.shop.buy(this.id), 1);
			}
		}

		void logOut() {
			this.leaving = true;
			Crowd.this.shop.logOut(this.id);
			this.gone = true;
		}

		/**
		 * Whether there is anything to find: somebody who has left looks whether that is
		 * so, and somebody who could not log in tries again.
		 */
		private boolean isHere() {
			if (this.id.isEmpty()) {
				logIn();
			}
			if (this.gone && Crowd.this.shop.look(this.id) != null) {
				Crowd.this.resurrected.incrementAndGet();
				this.gone = false;
			}
			return !this.leaving;
		}

		/**
		 * Compare what is in the cart with what was acknowledged. After a request that
		 * failed there may be one more in it.
		 */
		private void found(@Nullable Integer cart, int added) {
			if (cart == null) {
				Crowd.this.falseLogouts.incrementAndGet();
				if (this.acknowledged > 0) {
					Crowd.this.lostWrites.incrementAndGet();
				}
				// It has been counted, also if the login fails.
				this.id = "";
				this.acknowledged = 0;
				logIn();
				return;
			}
			if (cart < this.acknowledged) {
				Crowd.this.lostWrites.incrementAndGet();
			}
			this.acknowledged = cart + added;
		}

	}

}

package io.github.resilientsession.durable;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Function;
import java.util.stream.IntStream;
import java.util.stream.Stream;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

import org.springframework.dao.QueryTimeoutException;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

class GroupCommitTests {

	private static final Duration PATIENCE = Duration.ofSeconds(30);

	private static final CountDownLatch ENDED = new CountDownLatch(0);

	private final ExecutorService requests = Executors.newCachedThreadPool();

	private final List<List<Integer>> groups = Collections.synchronizedList(new ArrayList<>());

	@AfterEach
	void stop() {
		this.requests.shutdownNow();
	}

	@Test
	void itemsOfManyThreads_areEachExecutedOnceAndGetTheirOwnResult() throws Exception {
		Set<Integer> executed = ConcurrentHashMap.newKeySet();
		AtomicInteger atOnce = new AtomicInteger();
		GroupCommit<Integer, String> commit = new GroupCommit<>(5, 1_000, (item) -> 10, PATIENCE, (items) -> {
			assertThat(atOnce.incrementAndGet()).isEqualTo(1);
			assertThat(items).hasSizeBetween(1, 5).allSatisfy((item) -> assertThat(executed.add(item)).isTrue());
			LockSupport.parkNanos(100_000);
			atOnce.decrementAndGet();
			return items.stream().map(String::valueOf).toList();
		});

		List<Future<?>> threads = IntStream.range(0, 16).<Future<?>>mapToObj((thread) -> this.requests.submit(() -> {
			for (int i = 0; i < 500; i++) {
				int item = thread * 500 + i;
				assertThat(commit.execute(item, null)).isEqualTo(String.valueOf(item));
			}
		})).toList();

		for (Future<?> thread : threads) {
			thread.get(60, TimeUnit.SECONDS);
		}
		assertThat(executed).hasSize(16 * 500);
	}

	@Test
	void itemsThatComeWhileAGroupIsUnderWay_areOneGroup() throws Exception {
		CountDownLatch firstGoesOn = new CountDownLatch(1);
		GroupCommit<Integer, Integer> commit = new GroupCommit<>(100, 1_000, (item) -> 10, PATIENCE,
				waitingFor(firstGoesOn));
		Future<Integer> first = this.requests.submit(() -> commit.execute(0, null));
		await().until(() -> this.groups.size() == 1);

		List<Future<Integer>> others = IntStream.rangeClosed(1, 20)
			.mapToObj((item) -> startWaiting(() -> commit.execute(item, null)))
			.toList();
		firstGoesOn.countDown();

		assertThat(first.get(10, TimeUnit.SECONDS)).isZero();
		for (int i = 0; i < 20; i++) {
			assertThat(others.get(i).get(10, TimeUnit.SECONDS)).isEqualTo(i + 1);
		}
		assertThat(this.groups).hasSize(2);
		assertThat(this.groups.get(1)).containsExactlyElementsOf(IntStream.rangeClosed(1, 20).boxed().toList());
	}

	@Test
	void items_areExecutedTogetherUpToANumberOfBytes() throws Exception {
		CountDownLatch firstGoesOn = new CountDownLatch(1);
		GroupCommit<Integer, Integer> commit = new GroupCommit<>(100, 25, (item) -> 10, PATIENCE,
				waitingFor(firstGoesOn));
		this.requests.submit(() -> commit.execute(0, null));
		await().until(() -> this.groups.size() == 1);

		List<Future<Integer>> others = IntStream.rangeClosed(1, 6)
			.mapToObj((item) -> startWaiting(() -> commit.execute(item, null)))
			.toList();
		firstGoesOn.countDown();

		for (int i = 0; i < 6; i++) {
			assertThat(others.get(i).get(10, TimeUnit.SECONDS)).isEqualTo(i + 1);
		}
		assertThat(this.groups).containsExactly(List.of(0), List.of(1, 2, 3), List.of(4, 5, 6));
	}

	@Test
	void whatComesNextAndThrows_isNotBegunForThatItemOnly() {
		GroupCommit<Integer, Integer> commit = new GroupCommit<>(10, 1_000, (item) -> 10, PATIENCE, (items) -> items);

		assertThat(commit.execute(1, (result) -> {
			throw new IllegalStateException("next");
		})).isEqualTo(1);
		assertThat(commit.execute(2, null)).isEqualTo(2);
	}

	@Test
	void failure_isThatOfTheWholeGroupAndOfNoOther() {
		GroupCommit<Integer, Integer> commit = new GroupCommit<>(10, 1_000, (item) -> 10, PATIENCE, (items) -> {
			if (items.contains(13)) {
				throw new IllegalArgumentException("13");
			}
			return items;
		});

		assertThatThrownBy(() -> commit.execute(13, null)).isInstanceOf(IllegalArgumentException.class);
		assertThat(commit.execute(14, null)).isEqualTo(14);
	}

	@Test
	void errorWhileAGroupIsFormed_isThatOfAllWhoWereTakenAndLeavesNobodyWaiting() throws Exception {
		CountDownLatch firstGoesOn = new CountDownLatch(1);
		GroupCommit<Integer, Integer> commit = new GroupCommit<>(10, 1_000, (item) -> {
			if (item == 13) {
				throw new OutOfMemoryError("by the test");
			}
			return 10;
		}, PATIENCE, waitingFor(firstGoesOn));
		Future<Integer> first = this.requests.submit(() -> commit.execute(0, null));
		await().until(() -> this.groups.size() == 1);
		List<Future<Integer>> others = Stream.of(1, 13, 2)
			.map((item) -> startWaiting(() -> commit.execute(item, null)))
			.toList();

		firstGoesOn.countDown();

		assertThat(first.get(10, TimeUnit.SECONDS)).isZero();
		assertThatThrownBy(() -> others.get(0).get(10, TimeUnit.SECONDS)).hasCauseInstanceOf(OutOfMemoryError.class);
		assertThatThrownBy(() -> others.get(1).get(10, TimeUnit.SECONDS)).hasCauseInstanceOf(OutOfMemoryError.class);
		assertThat(others.get(2).get(10, TimeUnit.SECONDS)).isEqualTo(2);
		assertThat(this.groups).containsExactly(List.of(0), List.of(2));
	}

	@Test
	void itemWhoseTurnDoesNotCome_isNotExecutedAndHoldsUpNobody() throws Exception {
		CountDownLatch firstGoesOn = new CountDownLatch(1);
		GroupCommit<Integer, Integer> commit = new GroupCommit<>(1, 1_000, (item) -> 10, Duration.ofSeconds(2),
				waitingFor(firstGoesOn));
		Future<Integer> first = this.requests.submit(() -> commit.execute(0, null));
		await().until(() -> this.groups.size() == 1);

		assertThatThrownBy(() -> commit.execute(1, null)).isInstanceOf(QueryTimeoutException.class);
		Future<Integer> third = startWaiting(() -> commit.execute(2, null));
		firstGoesOn.countDown();

		assertThat(first.get(10, TimeUnit.SECONDS)).isZero();
		assertThat(third.get(10, TimeUnit.SECONDS)).isEqualTo(2);
		assertThat(this.groups).containsExactly(List.of(0), List.of(2));
	}

	@Test
	void groupThatDoesNotEnd_isGivenUpByThoseInItAndHoldsUpNobodyForLong() throws Exception {
		CountDownLatch firstGoesOn = new CountDownLatch(1);
		CountDownLatch secondGoesOn = new CountDownLatch(1);
		GroupCommit<Integer, Integer> commit = new GroupCommit<>(10, 1_000, (item) -> 10, Duration.ofMillis(300),
				(items) -> waitingFor(items.contains(0) ? firstGoesOn : items.contains(1) ? secondGoesOn : ENDED)
					.apply(items));
		AtomicInteger begun = new AtomicInteger();
		Future<Integer> first = this.requests.submit(() -> commit.execute(0, null));
		await().until(() -> this.groups.size() == 1);
		Future<Integer> leader = startWaiting(() -> commit.execute(1, null));
		Future<Integer> member = startWaiting(() -> commit.execute(2, (result) -> {
			begun.incrementAndGet();
			return null;
		}));
		firstGoesOn.countDown();
		assertThat(first.get(10, TimeUnit.SECONDS)).isZero();

		assertThatThrownBy(() -> member.get(20, TimeUnit.SECONDS)).cause()
			.isInstanceOf(QueryTimeoutException.class)
			.isNotInstanceOf(GroupCommit.TurnTimeoutException.class);
		assertThat(commit.execute(3, null)).isEqualTo(3);
		assertThat(leader.isDone()).isFalse();
		secondGoesOn.countDown();

		assertThat(leader.get(10, TimeUnit.SECONDS)).isEqualTo(1);
		assertThat(commit.execute(4, null)).isEqualTo(4);
		assertThat(this.groups).containsExactly(List.of(0), List.of(1, 2), List.of(3), List.of(4));
		assertThat(begun).hasValue(0);
	}

	@Test
	void interrupt_isKeptForLater() throws Exception {
		CountDownLatch firstGoesOn = new CountDownLatch(1);
		GroupCommit<Integer, Integer> commit = new GroupCommit<>(10, 1_000, (item) -> 10, PATIENCE,
				waitingFor(firstGoesOn));
		this.requests.submit(() -> commit.execute(0, null));
		await().until(() -> this.groups.size() == 1);
		boolean[] interrupted = new boolean[1];
		Thread thread = new Thread(() -> {
			commit.execute(1, null);
			interrupted[0] = Thread.currentThread().isInterrupted();
		});

		thread.start();
		await().until(() -> thread.getState() == Thread.State.TIMED_WAITING);
		thread.interrupt();
		firstGoesOn.countDown();
		thread.join(10_000);

		assertThat(interrupted[0]).isTrue();
		assertThat(this.groups).containsExactly(List.of(0), List.of(1));
	}

	@Test
	void whatComesNext_isWaitedForOnlyByItsOwnCaller() throws Exception {
		GroupCommit<Integer, Integer> commit = new GroupCommit<>(10, 1_000, (item) -> 10, PATIENCE, (items) -> items);
		CompletableFuture<Boolean> next = new CompletableFuture<>();
		Future<Integer> waiting = this.requests.submit(() -> commit.execute(1, (result) -> next));

		assertThat(commit.execute(2, null)).isEqualTo(2);
		assertThat(commit.execute(3, (result) -> CompletableFuture.failedStage(new IllegalStateException())))
			.isEqualTo(3);
		assertThat(waiting.isDone()).isFalse();
		next.complete(true);

		assertThat(waiting.get(10, TimeUnit.SECONDS)).isEqualTo(1);
	}

	@Test
	void whatComesNextAndDoesNotEnd_isNotWaitedForForever() {
		GroupCommit<Integer, Integer> commit = new GroupCommit<>(10, 1_000, (item) -> 10, Duration.ofMillis(200),
				(items) -> items);

		assertThat(commit.execute(1, (result) -> new CompletableFuture<>())).isEqualTo(1);
	}

	private Function<List<Integer>, List<Integer>> waitingFor(CountDownLatch latch) {
		return (items) -> {
			this.groups.add(items);
			try {
				assertThat(latch.await(30, TimeUnit.SECONDS)).isTrue();
			}
			catch (InterruptedException ex) {
				throw new IllegalStateException(ex);
			}
			return items;
		};
	}

	/**
	 * Start a request and return when it waits, so that the next one comes after it.
	 */
	private <T> Future<T> startWaiting(Callable<T> request) {
		AtomicReference<Thread> thread = new AtomicReference<>();
		Future<T> future = this.requests.submit(() -> {
			thread.set(Thread.currentThread());
			return request.call();
		});
		await().pollInterval(Duration.ofMillis(1)).until(() -> {
			Thread waiting = thread.get();
			return future.isDone() || (waiting != null && waiting.getState() == Thread.State.TIMED_WAITING);
		});
		return future;
	}

}

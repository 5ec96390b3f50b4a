package io.github.resilientsession.reconcile;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

import io.github.resilientsession.circuit.TierCircuit;
import io.github.resilientsession.circuit.TierUnavailableException;
import io.github.resilientsession.durable.DurableTier;
import io.github.resilientsession.durable.RecentPage;
import org.jspecify.annotations.Nullable;

/**
 * Loads pages of sessions ahead, one at a time: the next while the last one is put into
 * Redis. For one thread.
 */
final class RecentPages implements AutoCloseable {

	private final DurableTier durable;

	private final TierCircuit durableCircuit;

	private final ExecutorService executor = Executors.newSingleThreadExecutor((task) -> {
		Thread thread = new Thread(task, "resilient-session-resync-load");
		thread.setDaemon(true);
		return thread;
	});

	private CompletableFuture<RecentPage> page = new CompletableFuture<>();

	RecentPages(DurableTier durable, TierCircuit durableCircuit) {
		this.durable = durable;
		this.durableCircuit = durableCircuit;
	}

	/**
	 * Begin to load a page. One that was begun before is forgotten.
	 * @param after where to go on; {@code null} for the first page
	 * @param limit how many rows to look at
	 */
	void begin(RecentPage.@Nullable Position after, int limit) {
		this.page = CompletableFuture
			.supplyAsync(() -> this.durableCircuit.call(() -> this.durable.findRecent(after, limit)), this.executor);
	}

	/**
	 * Wait for the page. Each load is limited by the durable store; at most one that was
	 * forgotten comes before.
	 * @return the page that was begun last
	 * @throws TierUnavailableException if the durable store failed
	 */
	RecentPage await() {
		try {
			return this.page.join();
		}
		catch (CompletionException ex) {
			if (ex.getCause() instanceof RuntimeException failure) {
				throw failure;
			}
			throw ex;
		}
	}

	@Override
	public void close() {
		this.executor.shutdown();
	}

}

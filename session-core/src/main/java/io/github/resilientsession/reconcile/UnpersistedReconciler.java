package io.github.resilientsession.reconcile;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

import io.github.resilientsession.circuit.TierUnavailableException;
import io.github.resilientsession.flow.WritePath;
import io.github.resilientsession.record.SessionHash;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Lets the durable store know, when it is back, what this node has written to Redis
 * alone. For one thread at a time.
 */
public final class UnpersistedReconciler {

	private static final Logger logger = LoggerFactory.getLogger(UnpersistedReconciler.class);

	private final WritePath writePath;

	/**
	 * Those of the last pass that could not be persisted: they come last, so that they do
	 * not keep the others from their turn.
	 */
	private Set<String> failed = Set.of();

	public UnpersistedReconciler(WritePath writePath) {
		this.writePath = writePath;
	}

	/**
	 * Persist, in one pass, what this node remembers to have written.
	 * @param deadline the {@link System#nanoTime()} at which to stop
	 * @throws TierUnavailableException if sessions could not be persisted; the others
	 * were
	 */
	public void persist(long deadline) {
		List<String> backlog = new ArrayList<>(this.writePath.backlog());
		backlog.sort(Comparator.comparing(this.failed::contains));
		Set<String> failures = new HashSet<>();
		TierUnavailableException failure = null;
		long persisted = 0;
		for (String id : backlog) {
			if (System.nanoTime() - deadline >= 0) {
				break;
			}
			try {
				this.writePath.persist(id);
				persisted++;
			}
			catch (TierUnavailableException ex) {
				// Its mark stays. Another session may still be taken.
				failure = ex;
				failures.add(id);
				logger.debug("Session {} could not be persisted", SessionHash.of(id), ex);
			}
		}
		this.failed = failures;
		if (persisted > 0) {
			logger.info("{} sessions that only Redis knew of are durable now; {} are left.", persisted,
					this.writePath.backlog().size());
		}
		if (failure != null) {
			throw failure;
		}
	}

}

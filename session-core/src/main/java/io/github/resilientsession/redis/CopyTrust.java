package io.github.resilientsession.redis;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Whether the copies in Redis can be believed. They cannot from the moment on at which
 * the connection is lost, since what answers next may be another Redis or have older
 * data, until it is known to be the same Redis with the same data, or every copy has been
 * compared with the durable store.
 * <p>
 * An answer is believed if nothing was suspected before it was asked for, nor since: a
 * command may be sent again after a reconnect. Each new suspicion therefore begins an
 * epoch, and an answer counts only within one. Thread-safe.
 */
public final class CopyTrust {

	private static final Logger logger = LoggerFactory.getLogger(CopyTrust.class);

	private volatile State state = new State(0, true, false, false);

	private volatile Runnable whenSuspected = () -> {
	};

	/**
	 * The state at this moment.
	 * @return to be taken before Redis is asked, and compared with the one after
	 */
	public State state() {
		return this.state;
	}

	/**
	 * Run something when a suspicion begins, on the thread that noticed.
	 * @param task must not block
	 */
	public void whenSuspected(Runnable task) {
		this.whenSuspected = task;
	}

	/**
	 * Suspect the copies, since the connection was lost.
	 */
	void lost() {
		synchronized (this) {
			this.state = new State(this.state.epoch() + 1, true, this.state.stale(), false);
		}
		this.whenSuspected.run();
	}

	/**
	 * Suspect the copies, since Redis does not have the data that was agreed upon.
	 * @param fresh whether it has no trace of any such data
	 * @param news whether that was not known yet: what has been checked since the last
	 * suspicion began has to be checked again
	 */
	void stale(boolean fresh, boolean news, String reason) {
		boolean known;
		synchronized (this) {
			known = this.state.stale();
			this.state = new State(this.state.epoch() + (news || !this.state.suspect() ? 1 : 0), true, true, fresh);
		}
		if (known) {
			return;
		}
		logger.info("Redis may hold older sessions than the database ({}): its copies are checked one by one until all "
				+ "have been compared.", reason);
	}

	/**
	 * Believe the copies, unless something has been suspected meanwhile.
	 * @param known the state before it was found out that they can be believed
	 */
	void believe(State known) {
		boolean wasStale;
		synchronized (this) {
			if (!this.state.suspect() || this.state.epoch() != known.epoch()) {
				return;
			}
			wasStale = this.state.stale();
			this.state = new State(known.epoch(), false, false, false);
		}
		if (wasStale) {
			logger.info("The copies in Redis agree with the database.");
		}
	}

	/**
	 * What is thought of the copies.
	 *
	 * @param epoch how often a suspicion has begun
	 * @param suspect whether a copy has to be checked before it is believed
	 * @param stale whether that stays so until all copies have been compared with the
	 * durable store
	 * @param fresh whether Redis has no trace of ever having been compared, as far as is
	 * known
	 */
	public record State(long epoch, boolean suspect, boolean stale, boolean fresh) {

	}

}

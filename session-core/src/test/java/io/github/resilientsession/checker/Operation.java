package io.github.resilientsession.checker;

import java.util.Locale;

/**
 * One call of a node, as the history keeps it.
 *
 * @param what the kind of call
 * @param id the hash of the session's id
 * @param client who called
 * @param node who was called
 * @param began when, of {@link Timeline#now()}
 * @param ended when it returned
 * @param outcome what came of it
 */
record Operation(String what, String id, String client, int node, long began, long ended, String outcome) {

	@Override
	public String toString() {
		return String.format(Locale.ROOT, "%9.3f–%9.3f s  %-9s %s by %s on node %d: %s", this.began / 1e9,
				this.ended / 1e9, this.what, this.id, this.client, this.node, this.outcome);
	}

}

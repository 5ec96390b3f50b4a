package io.github.resilientsession.checker;

import java.time.Duration;

/**
 * Two faults that overlap, after a calm.
 *
 * @param number counts from 1
 * @param calmBefore how long everything works at least, once all sessions are served
 * again on all nodes
 * @param duration how long the incident takes; everything is healed at its end
 * @param first the fault at the beginning
 * @param firstNode the node it strikes, if it strikes one
 * @param secondAfter how long after the first the other fault begins
 * @param second the other fault
 * @param secondNode the node it strikes, another than the first's
 */
record Incident(int number, Duration calmBefore, Duration duration, FaultKind first, int firstNode,
		Duration secondAfter, FaultKind second, int secondNode) {

	@Override
	public String toString() {
		return "incident " + this.number + " (" + this.first + " on node " + this.firstNode + ", "
				+ this.secondAfter.toMillis() + " ms later " + this.second + " on node " + this.secondNode + ", for "
				+ this.duration.toMillis() + " ms)";
	}

}

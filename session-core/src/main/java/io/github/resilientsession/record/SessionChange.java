package io.github.resilientsession.record;

import java.time.Duration;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Set;

import org.jspecify.annotations.Nullable;

/**
 * What one request changed in a session. Applying a change is idempotent, and changes of
 * different attributes commute, which is what lets concurrent requests merge.
 *
 * @param id the id that the session has after the change
 * @param lastAccessedTime the last access that the request saw; never moves a session's
 * last access backwards
 * @param maxInactiveInterval the new max inactive interval, or {@code null} if unchanged
 * @param attributes the attributes that were set, by name
 * @param removedAttributes the names of the attributes that were removed
 * @param principal the new principal, or {@code null} if the request did not change it
 */
public record SessionChange(String id, Instant lastAccessedTime, @Nullable Duration maxInactiveInterval,
		Map<String, byte[]> attributes, Set<String> removedAttributes, @Nullable Principal principal) {

	public SessionChange {
		attributes = Map.copyOf(attributes);
		removedAttributes = Set.copyOf(removedAttributes);
	}

	/**
	 * Whether nothing but the last access changed.
	 * @return whether a touch is enough
	 */
	public boolean isTouch() {
		return this.maxInactiveInterval == null && this.attributes.isEmpty() && this.removedAttributes.isEmpty()
				&& this.principal == null;
	}

	/**
	 * Merge this change into a state of the session.
	 * @param base the state to merge into
	 * @return the state after the change, with the next version and this change's id
	 */
	public SessionRecord applyTo(SessionRecord base) {
		Map<String, byte[]> merged = new LinkedHashMap<>(base.attributes());
		merged.keySet().removeAll(this.removedAttributes);
		merged.putAll(this.attributes);
		return new SessionRecord(this.id, base.version() + 1, base.creationTime(),
				later(base.lastAccessedTime(), this.lastAccessedTime),
				(this.maxInactiveInterval != null) ? this.maxInactiveInterval : base.maxInactiveInterval(),
				(this.principal != null) ? this.principal.name() : base.principalName(), merged, UnpersistedWrites.NONE,
				base.persisted());
	}

	/**
	 * A change of nothing, as a start for what only a copy has.
	 * @param session the state that it leaves as it is
	 * @return the change
	 */
	public static SessionChange none(SessionRecord session) {
		return new SessionChange(session.id(), session.lastAccessedTime(), null, Map.of(), Set.of(), null);
	}

	/**
	 * This change followed by another.
	 * @param next the later change, which wins where both change the same
	 * @return both as one change
	 */
	public SessionChange then(SessionChange next) {
		Map<String, byte[]> set = new LinkedHashMap<>(this.attributes);
		set.keySet().removeAll(next.removedAttributes);
		set.putAll(next.attributes);
		Set<String> removed = new LinkedHashSet<>(this.removedAttributes);
		removed.removeAll(next.attributes.keySet());
		removed.addAll(next.removedAttributes);
		return new SessionChange(next.id, later(this.lastAccessedTime, next.lastAccessedTime),
				(next.maxInactiveInterval != null) ? next.maxInactiveInterval : this.maxInactiveInterval, set, removed,
				(next.principal != null) ? next.principal : this.principal);
	}

	private static Instant later(Instant one, Instant other) {
		return one.isBefore(other) ? other : one;
	}

	/**
	 * A principal as a change sets it.
	 *
	 * @param name the name, or {@code null} if the session lost its principal
	 */
	public record Principal(@Nullable String name) {

	}

}

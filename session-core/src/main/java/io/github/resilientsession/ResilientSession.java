package io.github.resilientsession;

import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;

import io.github.resilientsession.record.SessionChange;
import io.github.resilientsession.record.SessionRecord;
import org.jspecify.annotations.Nullable;

import org.springframework.session.FindByIndexNameSessionRepository;
import org.springframework.session.FlushMode;
import org.springframework.session.SaveMode;
import org.springframework.session.Session;

/**
 * A session as the application sees it: an immutable record from the stores plus what the
 * request has changed since. An attribute is deserialized when it is first read. Not safe
 * for use by many threads; every request has its own.
 */
public final class ResilientSession implements Session {

	private static final String SECURITY_CONTEXT = "SPRING_SECURITY_CONTEXT";

	private final ResilientSessionRepository repository;

	private SessionRecord base;

	private boolean isNew;

	private String id;

	private Instant lastAccessedTime;

	private Duration maxInactiveInterval;

	private boolean touched;

	private boolean intervalChanged;

	private final Map<String, Object> decoded = new HashMap<>();

	private final Map<String, Optional<Object>> changed = new HashMap<>();

	ResilientSession(ResilientSessionRepository repository, SessionRecord base, boolean isNew) {
		this.repository = repository;
		this.base = base;
		this.isNew = isNew;
		this.id = base.id();
		this.lastAccessedTime = base.lastAccessedTime();
		this.maxInactiveInterval = repository.limit(base.maxInactiveInterval());
		// Another node allows more: the stricter of two limits wins, for all nodes.
		this.intervalChanged = !this.maxInactiveInterval.equals(base.maxInactiveInterval());
	}

	@Override
	public String getId() {
		return this.id;
	}

	@Override
	public String changeSessionId() {
		this.id = this.repository.generateId();
		return this.id;
	}

	@Override
	@SuppressWarnings({ "unchecked", "NullAway", "TypeParameterUnusedInFormals" })
	public <T> @Nullable T getAttribute(String attributeName) {
		Object value = value(attributeName);
		if (value != null && this.repository.saveMode() == SaveMode.ON_GET_ATTRIBUTE) {
			this.changed.put(attributeName, Optional.of(value));
		}
		return (T) value;
	}

	private @Nullable Object value(String attributeName) {
		Optional<Object> change = this.changed.get(attributeName);
		if (change != null) {
			return change.orElse(null);
		}
		Object value = this.decoded.get(attributeName);
		byte[] bytes = this.base.attributes().get(attributeName);
		if (value == null && bytes != null) {
			value = this.repository.decode(this.id, attributeName, bytes);
			if (value != null) {
				this.decoded.put(attributeName, value);
			}
		}
		return value;
	}

	@Override
	public Set<String> getAttributeNames() {
		Set<String> names = new HashSet<>(this.base.attributes().keySet());
		this.changed.forEach((name, value) -> {
			if (value.isPresent()) {
				names.add(name);
			}
			else {
				names.remove(name);
			}
		});
		return names;
	}

	@Override
	public void setAttribute(String attributeName, @Nullable Object attributeValue) {
		this.changed.put(attributeName, Optional.ofNullable(attributeValue));
		flushIfImmediate();
	}

	@Override
	public void removeAttribute(String attributeName) {
		setAttribute(attributeName, null);
	}

	@Override
	public Instant getCreationTime() {
		return this.base.creationTime();
	}

	@Override
	public void setLastAccessedTime(Instant lastAccessedTime) {
		this.lastAccessedTime = this.repository.shared(lastAccessedTime);
		this.touched = true;
		flushIfImmediate();
	}

	@Override
	public Instant getLastAccessedTime() {
		return this.lastAccessedTime;
	}

	/**
	 * {@inheritDoc} An interval outside of {@code resilient-session.ttl} is clamped, or
	 * refused with an {@link IllegalArgumentException}, by policy.
	 */
	@Override
	public void setMaxInactiveInterval(Duration interval) {
		Duration allowed = this.repository.allowed(interval);
		this.intervalChanged |= !Objects.equals(allowed, this.maxInactiveInterval);
		this.maxInactiveInterval = allowed;
		flushIfImmediate();
	}

	@Override
	public Duration getMaxInactiveInterval() {
		return this.maxInactiveInterval;
	}

	@Override
	public boolean isExpired() {
		return !this.repository.now().isBefore(this.lastAccessedTime.plus(this.maxInactiveInterval));
	}

	private void flushIfImmediate() {
		if (this.repository.flushMode() == FlushMode.IMMEDIATE) {
			this.repository.save(this);
		}
	}

	SessionRecord base() {
		return this.base;
	}

	boolean isNew() {
		return this.isNew;
	}

	boolean isChanged() {
		return this.isNew || this.touched || this.intervalChanged || !this.changed.isEmpty()
				|| !this.id.equals(this.base.id()) || this.repository.saveMode() == SaveMode.ALWAYS;
	}

	/**
	 * What is to be saved. Everything is serialized here, before anything is written.
	 */
	SessionChange change() {
		if (this.repository.saveMode() == SaveMode.ALWAYS) {
			for (String name : this.base.attributes().keySet()) {
				Object value = value(name);
				if (value != null) {
					this.changed.putIfAbsent(name, Optional.of(value));
				}
			}
		}
		Map<String, byte[]> attributes = new HashMap<>();
		Set<String> removed = new HashSet<>();
		this.changed.forEach((name, value) -> {
			if (value.isPresent()) {
				attributes.put(name, this.repository.encode(name, value.get()));
			}
			else {
				removed.add(name);
			}
		});
		// A new row, for a new id or for a copy that is adopted, needs its principal too.
		boolean principalChanged = this.isNew || !this.id.equals(this.base.id())
				|| this.changed.containsKey(SECURITY_CONTEXT)
				|| this.changed.containsKey(FindByIndexNameSessionRepository.PRINCIPAL_NAME_INDEX_NAME)
				|| (this.base.version() == SessionRecord.UNVERSIONED && this.base.unpersisted().isEmpty());
		return new SessionChange(this.id, this.lastAccessedTime,
				(this.intervalChanged || this.isNew) ? this.maxInactiveInterval : null, attributes, removed,
				principalChanged ? new SessionChange.Principal(this.repository.principalOf(this)) : null);
	}

	/**
	 * The state that the change is applied to: for a new session an empty one, with the
	 * id and the last access that it has by now.
	 */
	SessionRecord baseToSave() {
		if (!this.isNew) {
			return this.base;
		}
		return new SessionRecord(this.id, SessionRecord.UNVERSIONED, this.base.creationTime(), this.lastAccessedTime,
				this.maxInactiveInterval, null, this.base.attributes());
	}

	void saved(SessionRecord record) {
		// What others have changed in the meantime is to be decoded anew.
		this.decoded.keySet()
			.removeIf((name) -> !this.changed.containsKey(name)
					&& !Arrays.equals(record.attributes().get(name), this.base.attributes().get(name)));
		this.changed.forEach((name, value) -> value.ifPresentOrElse((present) -> this.decoded.put(name, present),
				() -> this.decoded.remove(name)));
		this.changed.clear();
		this.base = record;
		this.isNew = false;
		this.touched = false;
		this.intervalChanged = false;
	}

}

package io.github.resilientsession;

import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.Map;
import java.util.OptionalLong;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import io.github.resilientsession.circuit.TierUnavailableException;
import io.github.resilientsession.codec.AttributeCodec;
import io.github.resilientsession.codec.AttributeNotReadableException;
import io.github.resilientsession.flow.ReadPath;
import io.github.resilientsession.flow.WriteOutcome;
import io.github.resilientsession.flow.WritePath;
import io.github.resilientsession.record.ClusterClock;
import io.github.resilientsession.record.Lookup;
import io.github.resilientsession.record.SessionChange;
import io.github.resilientsession.record.SessionHash;
import io.github.resilientsession.record.SessionRecord;
import io.github.resilientsession.record.SessionStoreListener;
import io.github.resilientsession.record.TtlPolicy.OnViolation;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

import org.springframework.context.ApplicationEventPublisher;
import org.springframework.session.FindByIndexNameSessionRepository;
import org.springframework.session.FlushMode;
import org.springframework.session.MapSession;
import org.springframework.session.PrincipalNameIndexResolver;
import org.springframework.session.SaveMode;
import org.springframework.session.SessionIdGenerator;
import org.springframework.session.UuidSessionIdGenerator;

/**
 * The session repository that outlives Redis. A session that {@link #findById} reports as
 * absent is absent in the durable store; if no store can say, the caller gets a
 * {@link SessionStoreUnavailableException} and the session stays. Safe for use by many
 * threads once configured; the setters are for a {@code SessionRepositoryCustomizer}.
 */
public final class ResilientSessionRepository implements FindByIndexNameSessionRepository<ResilientSession> {

	private static final int MAX_ID_LENGTH = 256;

	private static final Logger logger = LoggerFactory.getLogger(ResilientSessionRepository.class);

	private final ReadPath readPath;

	private final WritePath writePath;

	private final PrincipalLookup principals;

	private final AttributeCodec codec;

	private final RepositorySettings settings;

	private final ClusterClock clock;

	private final SessionStoreListener listener;

	private final PrincipalNameIndexResolver<ResilientSession> principalResolver = new PrincipalNameIndexResolver<>();

	private final Cache<String, Boolean> reportedAttributes = Caffeine.newBuilder()
		.maximumSize(1_000)
		.expireAfterWrite(Duration.ofHours(1))
		.build();

	private Duration defaultMaxInactiveInterval = MapSession.DEFAULT_MAX_INACTIVE_INTERVAL;

	private FlushMode flushMode = FlushMode.ON_SAVE;

	private SaveMode saveMode = SaveMode.ON_SET_ATTRIBUTE;

	private @Nullable SessionEvents events;

	private SessionIdGenerator sessionIdGenerator = UuidSessionIdGenerator.getInstance();

	ResilientSessionRepository(ReadPath readPath, WritePath writePath, PrincipalLookup principals, AttributeCodec codec,
			RepositorySettings settings, ClusterClock clock, SessionStoreListener listener) {
		this.readPath = readPath;
		this.writePath = writePath;
		this.principals = principals;
		this.codec = codec;
		this.settings = settings;
		this.clock = clock;
		this.listener = listener;
	}

	/**
	 * Set how long new sessions live without being used.
	 * @param interval the interval, subject to the TTL policy
	 * @throws IllegalArgumentException if the TTL policy refuses it
	 */
	public void setDefaultMaxInactiveInterval(Duration interval) {
		Duration allowed = allowed(interval);
		if (!allowed.equals(interval)) {
			logger.warn("The session timeout {} lies outside of resilient-session.ttl ({} to {}); new sessions get {}.",
					interval, this.settings.ttl().min(), this.settings.ttl().max(), allowed);
		}
		this.defaultMaxInactiveInterval = allowed;
	}

	/**
	 * Set when changes are written.
	 * @param flushMode on save, or with each change
	 */
	public void setFlushMode(FlushMode flushMode) {
		this.flushMode = flushMode;
	}

	/**
	 * Set what counts as a change.
	 * @param saveMode which attributes are written
	 */
	public void setSaveMode(SaveMode saveMode) {
		this.saveMode = saveMode;
	}

	/**
	 * Set what makes session ids.
	 * @param sessionIdGenerator makes ids of at most 256 printable ASCII characters
	 */
	public void setSessionIdGenerator(SessionIdGenerator sessionIdGenerator) {
		this.sessionIdGenerator = sessionIdGenerator;
	}

	/**
	 * Set what publishes {@code SessionCreatedEvent}, {@code SessionDeletedEvent} and
	 * {@code SessionExpiredEvent}: each at most once per session and cluster, on the node
	 * that stored or ended the session. Without it there are no events.
	 * @param publisher publishes them
	 */
	public void setApplicationEventPublisher(ApplicationEventPublisher publisher) {
		this.events = new SessionEvents(this, publisher);
	}

	@Override
	public ResilientSession createSession() {
		Instant now = now();
		SessionRecord nothing = new SessionRecord(generateId(), SessionRecord.UNVERSIONED, now, now,
				this.defaultMaxInactiveInterval, null, Map.of());
		ResilientSession session = new ResilientSession(this, nothing, true);
		if (this.flushMode == FlushMode.IMMEDIATE) {
			save(session);
		}
		return session;
	}

	/**
	 * {@inheritDoc} When it returns, the change is committed in the durable store or,
	 * while that cannot take it and unless the library is to be strict, kept in Redis
	 * until it can. A change of a session that has been ended meanwhile is dropped
	 * quietly.
	 * @throws SessionStoreUnavailableException if the change could not be kept; a mere
	 * touch never throws
	 * @throws SessionTooLargeException if the session is larger than allowed
	 */
	@Override
	public void save(ResilientSession session) {
		if (!session.isChanged()) {
			return;
		}
		SessionChange change = session.change();
		SessionRecord base = session.baseToSave();
		if (!session.isNew() && change.isTouch() && change.id().equals(base.id())) {
			session.saved(remember(this.writePath.touch(base, change)));
			return;
		}
		checkSize(base, change);
		throwFailureOfThisRequest();
		boolean isNew = session.isNew();
		WriteOutcome outcome = this.writePath.save(base, change);
		if (outcome instanceof WriteOutcome.Unavailable unavailable) {
			throw unavailable(change.id(), "saved", unavailable.cause());
		}
		if (outcome instanceof WriteOutcome.Written written) {
			session.saved(remember(written.session()));
			if (isNew && this.events != null) {
				this.events.created(written.session());
			}
		}
		else {
			// Ended meanwhile; the request may go on with what it has.
			session.saved(change.applyTo(base).withVersion(Math.max(base.version(), 1)));
		}
	}

	@Override
	public @Nullable ResilientSession findById(String id) {
		if (!isPlausible(id)) {
			return null;
		}
		SessionRecord saved = RequestScope.saved(id);
		if (saved != null) {
			return new ResilientSession(this, saved, false);
		}
		throwFailureOfThisRequest();
		Lookup lookup = this.readPath.find(id);
		if (lookup instanceof Lookup.Unavailable unavailable) {
			throw unavailable(id, "read", unavailable.cause());
		}
		if (!(lookup instanceof Lookup.Hit hit)) {
			return null;
		}
		ResilientSession session = new ResilientSession(this, hit.session(), false);
		// Another node may allow a session to be idle for longer than this one.
		boolean idleTooLong = !session.getMaxInactiveInterval().equals(hit.session().maxInactiveInterval())
				&& session.isExpired();
		return idleTooLong ? null : session;
	}

	/**
	 * {@inheritDoc}
	 * @throws SessionStoreUnavailableException if the session could not be ended
	 */
	@Override
	public void deleteById(String id) {
		if (!isPlausible(id)) {
			return;
		}
		SessionRecord last = (this.events != null) ? lastState(id) : null;
		RequestScope.forget(id);
		try {
			OptionalLong ended = this.writePath.end(id, this.settings.ttl().max());
			publishDeleted(id, last, ended);
		}
		catch (TierUnavailableException ex) {
			throw unavailable(id, "ended", ex);
		}
	}

	/**
	 * What listeners are shown of a session that is about to end.
	 */
	private @Nullable SessionRecord lastState(String id) {
		SessionRecord saved = RequestScope.saved(id);
		if (saved != null) {
			return saved;
		}
		return (this.readPath.find(id) instanceof Lookup.Hit hit) ? hit.session() : null;
	}

	/**
	 * Of all who end a session at once, one is told so by the durable store. If it did
	 * not know the session (version 1), plain Spring Session may have created it, or
	 * nobody has.
	 */
	private void publishDeleted(String id, @Nullable SessionRecord last, OptionalLong ended) {
		if (this.events == null || ended.isEmpty() || (ended.getAsLong() == 1 && last == null)) {
			return;
		}
		Instant now = now();
		this.events.deleted((last != null) ? last
				: new SessionRecord(id, ended.getAsLong(), now, now, this.defaultMaxInactiveInterval, null, Map.of()));
	}

	/**
	 * Let the listeners know of a session that has expired.
	 */
	void publishExpired(SessionRecord session) {
		if (this.events != null) {
			this.events.expired(session);
		}
	}

	/**
	 * {@inheritDoc} Asks the durable store.
	 * @throws SessionStoreUnavailableException if the durable store does not answer
	 */
	@Override
	public Map<String, ResilientSession> findByIndexNameAndIndexValue(String indexName, String indexValue) {
		if (!PRINCIPAL_NAME_INDEX_NAME.equals(indexName) || indexValue.indexOf('\0') >= 0) {
			return Map.of();
		}
		try {
			Map<String, ResilientSession> found = new HashMap<>();
			for (SessionRecord session : this.principals.findByPrincipalName(indexValue)) {
				found.put(session.id(), new ResilientSession(this, session, false));
			}
			return found;
		}
		catch (TierUnavailableException ex) {
			throw new SessionStoreUnavailableException("The sessions of a principal could not be looked up",
					this.settings.retryAfter(), ex);
		}
	}

	String generateId() {
		String id = this.sessionIdGenerator.generate();
		if (!isPlausible(id)) {
			throw new IllegalStateException("The SessionIdGenerator " + this.sessionIdGenerator.getClass().getName()
					+ " made an id that is empty, longer than " + MAX_ID_LENGTH
					+ " characters, or holds characters other than printable ASCII without *?[]{}\\");
		}
		return id;
	}

	/**
	 * Whether a store has to be asked at all: an id that nobody could have been given is
	 * absent.
	 */
	private static boolean isPlausible(@Nullable String id) {
		if (id == null || id.isEmpty() || id.length() > MAX_ID_LENGTH) {
			return false;
		}
		return id.chars().allMatch((c) -> c > ' ' && c < 0x7f && "*?[]{}\\".indexOf(c) < 0);
	}

	private void checkSize(SessionRecord base, SessionChange change) {
		long size = change.applyTo(base).attributeBytes();
		if (size > this.settings.maxSessionSize()) {
			throw new SessionTooLargeException(change.id(), size, this.settings.maxSessionSize());
		}
	}

	private static void throwFailureOfThisRequest() {
		SessionStoreUnavailableException failure = RequestScope.failure();
		if (failure != null) {
			throw failure;
		}
	}

	private SessionStoreUnavailableException unavailable(String id, String what, Throwable cause) {
		return RequestScope
			.fail(() -> new SessionStoreUnavailableException("Session " + SessionHash.of(id) + " could not be " + what,
					this.settings.retryAfter(), cause));
	}

	private static SessionRecord remember(SessionRecord saved) {
		RequestScope.remember(saved);
		return saved;
	}

	Duration allowed(Duration interval) {
		if (!this.settings.ttl().isViolatedBy(interval)) {
			return this.settings.ttl().clamp(interval);
		}
		if (this.settings.ttl().onViolation() == OnViolation.REJECT) {
			throw new IllegalArgumentException("A max inactive interval of " + interval.toSeconds()
					+ " s is not allowed: resilient-session.ttl allows " + this.settings.ttl().min() + " to "
					+ this.settings.ttl().max() + ", and a session must not live forever");
		}
		this.listener.onTtlClamped();
		return this.settings.ttl().clamp(interval);
	}

	byte[] encode(String name, Object value) {
		return this.codec.encode(name, value);
	}

	@Nullable Object decode(String id, String name, byte[] bytes) {
		try {
			return this.codec.decode(name, bytes);
		}
		catch (AttributeNotReadableException ex) {
			if (this.settings.unreadableAttributes() == UnreadableAttributePolicy.FAIL) {
				throw ex;
			}
			if (this.reportedAttributes.asMap().putIfAbsent(name, Boolean.TRUE) == null) {
				this.listener.onQuarantined();
				logger
					.warn("Session {} reads as if it had no attribute '{}'; this is logged once an hour per attribute. "
							+ "{}", SessionHash.of(id), name, ex.getMessage(), ex.getCause());
			}
			return null;
		}
	}

	@Nullable String principalOf(ResilientSession session) {
		return this.principalResolver.resolveIndexesFor(session).get(PRINCIPAL_NAME_INDEX_NAME);
	}

	/**
	 * The interval that this node allows at most.
	 */
	Duration limit(Duration interval) {
		return this.settings.ttl().limit(interval);
	}

	Instant now() {
		return this.clock.instant();
	}

	/**
	 * Translate a time that was read from this node's clock.
	 */
	Instant shared(Instant nodeTime) {
		return this.clock.shared(nodeTime);
	}

	FlushMode flushMode() {
		return this.flushMode;
	}

	SaveMode saveMode() {
		return this.saveMode;
	}

	/**
	 * Finds sessions by their principal.
	 */
	interface PrincipalLookup {

		Iterable<SessionRecord> findByPrincipalName(String name);

	}

}

package io.github.resilientsession;

import java.util.HashMap;
import java.util.Map;
import java.util.function.Supplier;

import io.github.resilientsession.record.SessionRecord;
import org.jspecify.annotations.Nullable;

/**
 * What one request remembers of its sessions. Spring Session's filter saves twice per
 * request, and reads the session anew after each save: the first result answers the
 * others, and a store that failed once is not waited for again. Confined to the thread
 * that runs the request.
 */
public final class RequestScope {

	private static final ThreadLocal<RequestScope> CURRENT = new ThreadLocal<>();

	private final Map<String, SessionRecord> saved = new HashMap<>();

	private @Nullable SessionStoreUnavailableException failure;

	/**
	 * Let the current thread use this scope. A scope may be bound again, for another
	 * dispatch of the same request.
	 * @return ends the binding when closed, by the same thread
	 */
	public Binding bind() {
		RequestScope outer = CURRENT.get();
		CURRENT.set(this);
		return () -> {
			if (outer != null) {
				CURRENT.set(outer);
			}
			else {
				CURRENT.remove();
			}
		};
	}

	static @Nullable SessionRecord saved(String id) {
		RequestScope scope = CURRENT.get();
		return (scope != null) ? scope.saved.get(id) : null;
	}

	static void remember(SessionRecord session) {
		RequestScope scope = CURRENT.get();
		if (scope != null) {
			scope.saved.put(session.id(), session);
		}
	}

	static void forget(String id) {
		RequestScope scope = CURRENT.get();
		if (scope != null) {
			scope.saved.remove(id);
		}
	}

	/**
	 * The failure to throw: the one that the request has already met, or this one, which
	 * it is going to meet again.
	 */
	static SessionStoreUnavailableException fail(Supplier<SessionStoreUnavailableException> failure) {
		RequestScope scope = CURRENT.get();
		if (scope == null) {
			return failure.get();
		}
		if (scope.failure == null) {
			scope.failure = failure.get();
		}
		return scope.failure;
	}

	/**
	 * The failure that the current request has met, if any.
	 */
	static @Nullable SessionStoreUnavailableException failure() {
		RequestScope scope = CURRENT.get();
		return (scope != null) ? scope.failure : null;
	}

	/**
	 * A scope's hold on a thread.
	 */
	@FunctionalInterface
	public interface Binding extends AutoCloseable {

		@Override
		void close();

	}

}

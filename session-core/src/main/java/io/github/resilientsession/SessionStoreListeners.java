package io.github.resilientsession;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

import io.github.resilientsession.record.SessionStoreListener;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Listeners that are told together. One that throws does no harm to requests nor to the
 * others, and is logged once.
 */
public final class SessionStoreListeners {

	private static final Logger logger = LoggerFactory.getLogger(SessionStoreListeners.class);

	private SessionStoreListeners() {
	}

	/**
	 * Make one of many.
	 * @param listeners who is to be told, in this order
	 * @return a listener that tells them; safe for use by many threads if they are
	 */
	public static SessionStoreListener of(List<? extends SessionStoreListener> listeners) {
		if (listeners.isEmpty()) {
			return SessionStoreListener.NO_OP;
		}
		List<SessionStoreListener> all = List.copyOf(listeners);
		Set<SessionStoreListener> failed = ConcurrentHashMap.newKeySet();
		return (SessionStoreListener) Proxy.newProxyInstance(SessionStoreListener.class.getClassLoader(),
				new Class<?>[] { SessionStoreListener.class }, (proxy, method, arguments) -> {
					if (method.getDeclaringClass() == Object.class) {
						return method.invoke(all, arguments);
					}
					for (SessionStoreListener each : all) {
						try {
							method.invoke(each, arguments);
						}
						catch (InvocationTargetException ex) {
							if (failed.add(each)) {
								logger.warn(
										"The SessionStoreListener {} throws, which it must not; this is logged once.",
										each.getClass().getName(), ex.getCause());
							}
						}
					}
					return null;
				});
	}

}

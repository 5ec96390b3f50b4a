package io.github.resilientsession;

import java.util.function.BiFunction;

import io.github.resilientsession.record.SessionHash;
import io.github.resilientsession.record.SessionRecord;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

import org.springframework.context.ApplicationEvent;
import org.springframework.context.ApplicationEventPublisher;
import org.springframework.session.Session;
import org.springframework.session.events.SessionCreatedEvent;
import org.springframework.session.events.SessionDeletedEvent;
import org.springframework.session.events.SessionExpiredEvent;

/**
 * What publishes Spring Session's events, on the node that caused them and nowhere else.
 * By then the session has been stored or ended: what a listener throws is logged only.
 */
final class SessionEvents {

	private static final Logger logger = LoggerFactory.getLogger(SessionEvents.class);

	private final ResilientSessionRepository repository;

	private final ApplicationEventPublisher publisher;

	SessionEvents(ResilientSessionRepository repository, ApplicationEventPublisher publisher) {
		this.repository = repository;
		this.publisher = publisher;
	}

	void created(SessionRecord session) {
		publish(session, SessionCreatedEvent::new);
	}

	void deleted(SessionRecord session) {
		publish(session, SessionDeletedEvent::new);
	}

	void expired(SessionRecord session) {
		publish(session, SessionExpiredEvent::new);
	}

	/**
	 * Give the listeners a session of their own: what they change in it is nobody else's.
	 */
	private void publish(SessionRecord session, BiFunction<Object, Session, ApplicationEvent> event) {
		try {
			this.publisher
				.publishEvent(event.apply(this.repository, new ResilientSession(this.repository, session, false)));
		}
		catch (RuntimeException | Error ex) {
			logger.error("A listener failed on an event about session {}; the session is stored or ended as it was",
					SessionHash.of(session.id()), ex);
		}
	}

}

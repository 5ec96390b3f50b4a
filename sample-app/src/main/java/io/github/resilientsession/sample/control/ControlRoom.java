package io.github.resilientsession.sample.control;

import java.io.IOException;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;

import jakarta.servlet.http.HttpServletRequest;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

import org.springframework.boot.autoconfigure.condition.ConditionalOnBooleanProperty;
import org.springframework.context.annotation.Profile;
import org.springframework.context.event.ContextClosedEvent;
import org.springframework.context.event.EventListener;
import org.springframework.http.HttpStatus;
import org.springframework.scheduling.annotation.Scheduled;
import org.springframework.session.web.http.CookieHttpSessionIdResolver;
import org.springframework.session.web.http.CookieSerializer;
import org.springframework.stereotype.Controller;
import org.springframework.ui.Model;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestParam;
import org.springframework.web.bind.annotation.ResponseStatus;
import org.springframework.web.server.ResponseStatusException;
import org.springframework.web.servlet.mvc.method.annotation.SseEmitter;

/**
 * The page that shows the stores live, and its buttons.
 */
@Controller
@Profile("demo")
@ConditionalOnBooleanProperty("shop.embedded-servers")
class ControlRoom {

	/**
	 * A page that is open gets a reading each second.
	 */
	private static final int MAX_PAGES = 20;

	private static final int SNAPSHOT_SECONDS = 10;

	private static final Logger logger = LoggerFactory.getLogger(ControlRoom.class);

	private final Stores stores;

	private final Instruments instruments;

	private final LoadGenerator load;

	private final List<Page> pages = new CopyOnWriteArrayList<>();

	private final CookieHttpSessionIdResolver sessionIds = new CookieHttpSessionIdResolver();

	ControlRoom(Stores stores, Instruments instruments, LoadGenerator load, CookieSerializer cookies) {
		this.stores = stores;
		this.instruments = instruments;
		this.load = load;
		this.sessionIds.setCookieSerializer(cookies);
	}

	@GetMapping("/control")
	String page(Model model) {
		model.addAttribute("faults", Fault.values());
		model.addAttribute("loads", List.of(0, 50, 200, 500, LoadGenerator.MAX_VISITS_PER_SECOND));
		return "control";
	}

	@GetMapping("/control/events")
	SseEmitter events(HttpServletRequest request) {
		if (this.pages.size() >= MAX_PAGES) {
			throw new ResponseStatusException(HttpStatus.SERVICE_UNAVAILABLE);
		}
		SseEmitter emitter = new SseEmitter(0L);
		// From the cookie: the request itself would load the session to know whether its
		// id is good, and no page could be opened while no store answers.
		String sessionId = this.sessionIds.resolveSessionIds(request).stream().findFirst().orElse(null);
		Page page = new Page(emitter, sessionId);
		this.pages.add(page);
		emitter.onCompletion(() -> this.pages.remove(page));
		emitter.onError((ex) -> this.pages.remove(page));
		return emitter;
	}

	@PostMapping("/control/faults/{fault}")
	@ResponseStatus(HttpStatus.NO_CONTENT)
	void cause(@PathVariable Fault fault) {
		if (!this.stores.cause(fault)) {
			throw new ResponseStatusException(HttpStatus.CONFLICT, "Something else is being done to the stores");
		}
	}

	@PostMapping("/control/load")
	@ResponseStatus(HttpStatus.NO_CONTENT)
	void load(@RequestParam int visitsPerSecond) {
		if (visitsPerSecond < 0 || visitsPerSecond > LoadGenerator.MAX_VISITS_PER_SECOND) {
			throw new ResponseStatusException(HttpStatus.BAD_REQUEST,
					"Between 0 and " + LoadGenerator.MAX_VISITS_PER_SECOND + " visits per second");
		}
		this.load.set(visitsPerSecond);
	}

	@Scheduled(fixedRate = 1, timeUnit = TimeUnit.SECONDS)
	void tell() {
		try {
			Instruments.Reading reading = this.instruments.read();
			// One visitor may have many pages open.
			Map<String, Instruments.@Nullable OwnSession> sessions = new HashMap<>();
			for (Page page : this.pages) {
				String id = page.sessionId();
				if (id != null && !sessions.containsKey(id)) {
					sessions.put(id, this.instruments.session(id));
				}
				page.send(reading, (id != null) ? sessions.get(id) : null);
			}
		}
		catch (RuntimeException ex) {
			logger.warn("The control room could not be shown: {}", ex.toString());
		}
	}

	@Scheduled(fixedDelay = SNAPSHOT_SECONDS, initialDelay = SNAPSHOT_SECONDS, timeUnit = TimeUnit.SECONDS)
	void snapshot() {
		if (this.pages.isEmpty()) {
			return;
		}
		try {
			this.stores.snapshot();
		}
		catch (RuntimeException ex) {
			logger.debug("There is no snapshot this time", ex);
		}
	}

	/**
	 * Before the web server waits for requests that are under way: these never end.
	 */
	@EventListener
	void onClosed(ContextClosedEvent event) {
		this.pages.forEach((page) -> page.emitter().complete());
	}

	/**
	 * An open page.
	 *
	 * @param emitter where readings go
	 * @param sessionId the session of its visitor, if there was one when it was opened
	 */
	private record Page(SseEmitter emitter, @Nullable String sessionId) {

		void send(Instruments.Reading reading, Instruments.@Nullable OwnSession session) {
			try {
				this.emitter.send((session != null) ? Map.of("reading", reading, "session", session)
						: Map.of("reading", reading));
			}
			catch (IOException | IllegalStateException ex) {
				this.emitter.completeWithError(ex);
			}
		}

	}

}

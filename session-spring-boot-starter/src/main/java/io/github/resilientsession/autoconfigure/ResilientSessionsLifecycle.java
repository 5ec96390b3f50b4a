package io.github.resilientsession.autoconfigure;

import io.github.resilientsession.ResilientSessions;

import org.springframework.context.SmartLifecycle;

/**
 * Starts the session stores before the web server, and stops them after it: by then no
 * request is left, and Lettuce's resources (phase 0) are still there for the last flush.
 */
final class ResilientSessionsLifecycle implements SmartLifecycle {

	private static final int PHASE = 1024;

	private final ResilientSessions sessions;

	private volatile boolean running;

	ResilientSessionsLifecycle(ResilientSessions sessions) {
		this.sessions = sessions;
	}

	@Override
	public void start() {
		this.sessions.start();
		this.running = true;
	}

	@Override
	public void stop() {
		this.running = false;
		this.sessions.close();
	}

	@Override
	public boolean isRunning() {
		return this.running;
	}

	@Override
	public int getPhase() {
		return PHASE;
	}

	// A stopped tier has let go of its connections and cannot be started again.
	@Override
	public boolean isPauseable() {
		return false;
	}

}

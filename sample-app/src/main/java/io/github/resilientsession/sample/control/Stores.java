package io.github.resilientsession.sample.control;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.EnumMap;
import java.util.Map;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.ReentrantLock;

import io.github.resilientsession.sample.EmbeddedServers;
import io.github.resilientsession.testsupport.PostgresServer;
import io.github.resilientsession.testsupport.RedisServer;
import io.lettuce.core.RedisException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

import org.springframework.context.event.EventListener;
import org.springframework.session.events.SessionDeletedEvent;

/**
 * The demo's servers, to be broken and mended. One thing at a time is done to them,
 * whoever presses a button.
 */
final class Stores {

	private static final int FOREIGN_BYTES = 100_000;

	private static final String SESSIONS = "spring:session:sessions:*";

	private static final Logger logger = LoggerFactory.getLogger(Stores.class);

	private final RedisServer redis;

	private final PostgresServer postgres;

	private final Map<Snapshot, Path> snapshots = new EnumMap<>(Snapshot.class);

	/**
	 * Held by whoever does something to the servers.
	 */
	private final ReentrantLock work = new ReentrantLock();

	/**
	 * Whether a fault is being caused, or waits for a snapshot to be ready.
	 */
	private final AtomicBoolean causing = new AtomicBoolean();

	private boolean paused;

	Stores(RedisServer redis, PostgresServer postgres) {
		this.redis = redis;
		this.postgres = postgres;
	}

	/**
	 * Do something to a server, unless something is being done already.
	 * @return whether it was done
	 */
	boolean cause(Fault fault) {
		if (!this.causing.compareAndSet(false, true)) {
			return false;
		}
		this.work.lock();
		try {
			logger.info("Control room: {}", fault.getLabel());
			causeAlone(fault);
			return true;
		}
		finally {
			this.work.unlock();
			this.causing.set(false);
		}
	}

	private void causeAlone(Fault fault) {
		if (this.paused && fault != Fault.STOP_DATABASE) {
			this.redis.resume();
			this.paused = false;
		}
		switch (fault) {
			case FLUSH -> {
				runRedis();
				this.redis.flushAll();
			}
			case KILL -> {
				takeSnapshot();
				this.redis.kill();
			}
			case PAUSE -> {
				runRedis();
				this.redis.pause();
				this.paused = true;
			}
			case RESTART_EMPTY -> {
				takeSnapshot();
				this.redis.restartEmpty();
			}
			case RESTART_OLD -> restartOld();
			case FILL -> fill();
			case EVICT -> evict();
			case STOP_DATABASE -> this.postgres.kill();
			case MEND -> mend();
		}
	}

	/**
	 * Save the data of Redis from time to time, as snapshots are made in production. The
	 * next one will do if something is being done to the servers.
	 */
	void snapshot() {
		if (!this.work.tryLock()) {
			return;
		}
		try {
			takeSnapshot();
		}
		finally {
			this.work.unlock();
		}
	}

	private void takeSnapshot() {
		if (!this.redis.isRunning() || this.paused) {
			return;
		}
		Path taken;
		try {
			taken = this.redis.snapshot();
		}
		catch (RedisException ex) {
			logger.info("There is no snapshot this time: {}", ex.getMessage());
			return;
		}
		synchronized (this.snapshots) {
			Path last = this.snapshots.put(Snapshot.LAST, taken);
			if (last != null && !last.equals(this.snapshots.get(Snapshot.BEFORE_LOGOUT))) {
				last.toFile().delete();
			}
		}
	}

	/**
	 * Keep the last snapshot: what is ended now must not be there again after a restart
	 * with it.
	 */
	@EventListener
	void onSessionDeleted(SessionDeletedEvent event) {
		synchronized (this.snapshots) {
			Path last = this.snapshots.get(Snapshot.LAST);
			if (last != null) {
				Path before = this.snapshots.put(Snapshot.BEFORE_LOGOUT, last);
				if (before != null && !before.equals(last)) {
					before.toFile().delete();
				}
			}
		}
	}

	private void restartOld() {
		Path old = copyOfOldSnapshot();
		if (old == null) {
			this.redis.restartEmpty();
			return;
		}
		try {
			this.redis.restartFrom(old);
		}
		finally {
			old.toFile().delete();
		}
		logger.info("Redis is back with the sessions of a snapshot: {}", this.redis.keys(SESSIONS).size());
	}

	/**
	 * A copy, since the next logout may delete the snapshot itself.
	 */
	private @Nullable Path copyOfOldSnapshot() {
		synchronized (this.snapshots) {
			Path old = this.snapshots.getOrDefault(Snapshot.BEFORE_LOGOUT, this.snapshots.get(Snapshot.LAST));
			if (old == null) {
				return null;
			}
			try {
				Path copy = Files.createTempFile("old-snapshot", ".rdb");
				copy.toFile().deleteOnExit();
				return Files.copy(old, copy, StandardCopyOption.REPLACE_EXISTING);
			}
			catch (IOException ex) {
				throw new UncheckedIOException("The old snapshot cannot be copied", ex);
			}
		}
	}

	private void fill() {
		runRedis();
		this.redis.configSet("maxmemory-policy", EmbeddedServers.POLICY);
		this.redis.configSet("maxmemory", Long.toString(this.redis.usedMemory() + 20 * FOREIGN_BYTES));
		this.redis.floodForeignKeys(40, FOREIGN_BYTES);
	}

	private void evict() {
		runRedis();
		this.redis.configSet("maxmemory-policy", "allkeys-lru");
		this.redis.floodForeignKeys(20, FOREIGN_BYTES);
		this.redis.configSet("maxmemory", Long.toString(this.redis.usedMemory() - 15 * FOREIGN_BYTES));
		this.redis.floodForeignKeys(40, FOREIGN_BYTES);
	}

	private void mend() {
		runRedis();
		this.redis.configSet("maxmemory", EmbeddedServers.MAX_MEMORY);
		this.redis.configSet("maxmemory-policy", EmbeddedServers.POLICY);
		this.redis.call((commands) -> {
			commands.keys("foreign:*").forEach(commands::unlink);
			return true;
		});
		if (!this.postgres.isRunning()) {
			this.postgres.restart();
		}
	}

	private void runRedis() {
		if (!this.redis.isRunning()) {
			this.redis.restartEmpty();
		}
	}

	private enum Snapshot {

		/**
		 * The newest.
		 */
		LAST,

		/**
		 * The newest when somebody logged out last.
		 */
		BEFORE_LOGOUT

	}

}

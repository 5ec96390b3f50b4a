package io.github.resilientsession.flow;

import java.time.Duration;
import java.util.function.Consumer;
import java.util.function.Supplier;

import io.github.resilientsession.circuit.TierCircuit;
import io.github.resilientsession.durable.DurableSettings;
import io.github.resilientsession.durable.DurableTier;
import io.github.resilientsession.record.ClusterClock;
import io.github.resilientsession.record.SessionRecord;
import io.github.resilientsession.record.SessionStoreListener;
import io.github.resilientsession.redis.RedisTier;
import io.micrometer.observation.ObservationRegistry;

/**
 * The paths between the two tiers, put together.
 */
public final class SessionFlow implements AutoCloseable {

	/**
	 * How long a Redis is taken to be back soon, as after a fork or the end of a large
	 * key: until then its users are a stampede, of which the durable store is to notice
	 * little. In a longer outage every read is a miss, and waits for nothing.
	 */
	private static final Duration STALL = Duration.ofSeconds(3);

	private final BatchLoader loader;

	private final Convergence convergence;

	private final ReadPath readPath;

	private final WritePath writePath;

	private final EndedCopies endedCopies;

	/**
	 * Put the paths together.
	 * @param redis the copies
	 * @param redisCircuit the circuit around them
	 * @param durable the rows
	 * @param durableCircuit the circuit around them
	 * @param settings how the paths behave
	 * @param touched takes a touched session, whose last access is to become durable soon
	 * @param watch looks after copies that are put back
	 * @param tokens gives texts that were never used before, without spaces
	 * @param clock the time
	 * @param listener is told what the paths do
	 * @param observations is told of each call of a store that a request waits for
	 */
	public SessionFlow(RedisTier redis, TierCircuit redisCircuit, DurableTier durable, TierCircuit durableCircuit,
			Settings settings, Consumer<SessionRecord> touched, RebuildWatch watch, Supplier<String> tokens,
			ClusterClock clock, SessionStoreListener listener, ObservationRegistry observations) {
		StoreCalls calls = new StoreCalls(observations);
		this.loader = new BatchLoader(durable, durableCircuit, () -> redis.trust().state().epoch(),
				() -> !redisCircuit.isOpenFor(STALL), settings.load(), listener);
		Commits commits = new Commits(durable, durableCircuit, (id) -> redisCircuit.reach(() -> redis.find(id)),
				settings.durable(), settings.outage().maxSessionLife(), clock, listener);
		this.convergence = new Convergence(redis, commits, watch);
		OutageWrites outage = new OutageWrites(redis, redisCircuit, settings.outage(), settings.mode(), commits::read,
				tokens, listener);
		this.endedCopies = new EndedCopies(redis, commits, this.convergence, outage);
		this.readPath = new ReadPath(redis, redisCircuit, this.loader, this.convergence, watch, outage, settings.mode(),
				clock, listener, calls);
		this.writePath = new WritePath(redis, redisCircuit, durable, durableCircuit, commits, this.convergence,
				this.endedCopies, outage, this.loader, settings.mode(), touched, listener, calls);
	}

	/**
	 * What loads sessions that Redis does not give.
	 * @return the same object at each call
	 */
	public BatchLoader loader() {
		return this.loader;
	}

	/**
	 * The way of a read.
	 * @return the same object at each call
	 */
	public ReadPath readPath() {
		return this.readPath;
	}

	/**
	 * The way of a write.
	 * @return the same object at each call
	 */
	public WritePath writePath() {
		return this.writePath;
	}

	/**
	 * What makes copies agree with rows.
	 * @return the same object at each call
	 */
	public Convergence convergence() {
		return this.convergence;
	}

	/**
	 * What ends the copies under ids that have ended.
	 * @return the same object at each call
	 */
	public EndedCopies endedCopies() {
		return this.endedCopies;
	}

	@Override
	public void close() {
		this.loader.close();
	}

	/**
	 * How the paths behave.
	 *
	 * @param mode which store is the truth
	 * @param durable the limits of the durable store
	 * @param load the bounds for missed sessions
	 * @param outage what happens to writes while the durable store is down
	 */
	public record Settings(Mode mode, DurableSettings durable, LoadSettings load, OutageSettings outage) {

	}

}

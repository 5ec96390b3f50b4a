package io.github.resilientsession.actuate;

import java.time.Duration;
import java.util.List;

import io.github.resilientsession.record.SessionStoreListener;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.DistributionSummary;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Timer;

/**
 * Counts what the stores do. All meters are there from the start, so that a rate of
 * something rare can be had. Safe for use by many threads.
 */
public final class SessionMeters implements SessionStoreListener {

	static final String PREFIX = "resilient.session.";

	private final Counter hits;

	private final Counter missesLost;

	private final Counter missesUnavailable;

	private final Counter missesUnknown;

	private final Counter missesUnanswered;

	private final Counter falseLogoutsAvoided;

	private final Counter coalesced;

	private final DistributionSummary batch;

	private final Timer query;

	private final Counter shed;

	private final Counter rebuilds;

	private final Counter merges;

	private final Counter lateSavesDropped;

	private final Counter missed;

	private final Counter settled;

	private final Counter unpersisted;

	private final Counter unpersistedLost;

	private final Counter quarantined;

	private final Counter clamped;

	private final Counter ttlRepaired;

	private final Counter ttlFound;

	private final Counter tombstones;

	private final Counter touchesFlushed;

	private final MeterRegistry registry;

	/**
	 * Create the meters.
	 * @param registry where to
	 */
	public SessionMeters(MeterRegistry registry) {
		this.registry = registry;
		this.hits = counter("hits", "Reads that Redis answered with the session");
		this.missesLost = misses("lost", registry);
		this.missesUnavailable = misses("unavailable", registry);
		this.missesUnknown = misses("unknown", registry);
		this.missesUnanswered = misses("unanswered", registry);
		this.falseLogoutsAvoided = counter("false.logouts.avoided",
				"Live sessions that Redis did not give, and the database did");
		this.coalesced = counter("loads.coalesced", "Reads that shared the load of another");
		this.batch = DistributionSummary.builder(PREFIX + "loads.batch")
			.description("Distinct sessions loaded by one query")
			.baseUnit("sessions")
			.register(registry);
		this.query = Timer.builder(PREFIX + "loads.query")
			.description("Queries for sessions that Redis did not give")
			.register(registry);
		this.shed = counter("loads.shed", "Reads turned away with a 503, since too many waited or for too long");
		this.rebuilds = counter("rebuilds", "Sessions put back into Redis by a read");
		this.merges = counter("merges", "Saves that met a newer state and were merged into it");
		this.lateSavesDropped = counter("late.saves.dropped", "Saves that came after the session's end");
		this.missed = counter("writes.missed", "Committed writes that Redis could not be told of at once");
		this.settled = counter("writes.settled", "Missed writes that Redis has been told of since");
		this.unpersisted = counter("writes.unpersisted", "Acknowledged writes that only Redis had");
		this.unpersistedLost = counter("writes.unpersisted.lost",
				"Writes that Redis lost before the database was back");
		this.quarantined = counter("quarantined", "Attributes, copies and rows that could not be read");
		this.clamped = counter("ttl.clamped", "Sessions that asked for a timeout outside the allowed range");
		this.ttlRepaired = audit(true, registry);
		this.ttlFound = audit(false, registry);
		this.tombstones = counter("tombstones", "Tombstones sent to Redis, since a session has ended");
		this.touchesFlushed = counter("touches.flushed", "Last accesses written to the database");
		for (String tier : List.of("redis", "durable")) {
			transitions(tier, true);
			transitions(tier, false);
		}
	}

	private Counter counter(String name, String description) {
		return Counter.builder(PREFIX + name).description(description).register(this.registry);
	}

	private static Counter misses(String cause, MeterRegistry registry) {
		return Counter.builder(PREFIX + "misses")
			.description("Reads that Redis did not answer with the session")
			.tag("cause", cause)
			.register(registry);
	}

	private static Counter audit(boolean repaired, MeterRegistry registry) {
		return Counter.builder(PREFIX + "ttl.missing")
			.description("Sessions in Redis that had no TTL")
			.tag("repaired", Boolean.toString(repaired))
			.register(registry);
	}

	@Override
	public void onRedisHit() {
		this.hits.increment();
	}

	@Override
	public void onLostByRedis() {
		this.missesLost.increment();
	}

	@Override
	public void onRedisUnavailable() {
		this.missesUnavailable.increment();
	}

	@Override
	public void onFalseLogoutAvoided() {
		this.falseLogoutsAvoided.increment();
	}

	@Override
	public void onUnknown() {
		this.missesUnknown.increment();
	}

	@Override
	public void onUnanswered() {
		this.missesUnanswered.increment();
	}

	@Override
	public void onCoalesced() {
		this.coalesced.increment();
	}

	@Override
	public void onBatchLoaded(int size, Duration took) {
		this.batch.record(size);
		this.query.record(took);
	}

	@Override
	public void onShed() {
		this.shed.increment();
	}

	@Override
	public void onRebuilt() {
		this.rebuilds.increment();
	}

	@Override
	public void onMerged() {
		this.merges.increment();
	}

	@Override
	public void onLateSaveDropped() {
		this.lateSavesDropped.increment();
	}

	@Override
	public void onRedisPending() {
		this.missed.increment();
	}

	@Override
	public void onSettled() {
		this.settled.increment();
	}

	@Override
	public void onUnpersisted() {
		this.unpersisted.increment();
	}

	@Override
	public void onUnpersistedLost() {
		this.unpersistedLost.increment();
	}

	@Override
	public void onQuarantined() {
		this.quarantined.increment();
	}

	@Override
	public void onTtlClamped() {
		this.clamped.increment();
	}

	@Override
	public void onTtlMissing(boolean repaired) {
		(repaired ? this.ttlRepaired : this.ttlFound).increment();
	}

	@Override
	public void onTombstone() {
		this.tombstones.increment();
	}

	@Override
	public void onTouchesFlushed(int count) {
		this.touchesFlushed.increment(count);
	}

	@Override
	public void onBreaker(String tier, boolean open) {
		transitions(tier, open).increment();
	}

	private Counter transitions(String tier, boolean open) {
		return Counter.builder(PREFIX + "tier.transitions")
			.description("How often a tier was cut off, or came back")
			.tag("tier", tier)
			.tag("to", open ? "open" : "closed")
			.register(this.registry);
	}

}

package io.github.resilientsession.sample.control;

import java.time.Duration;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

import io.github.resilientsession.ResilientSession;
import io.github.resilientsession.ResilientSessionRepository;
import io.github.resilientsession.actuate.ResilientSessionEndpoint;
import io.github.resilientsession.testsupport.PostgresServer;
import io.github.resilientsession.testsupport.RedisServer;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

import org.springframework.dao.DataAccessException;
import org.springframework.jdbc.core.JdbcTemplate;

/**
 * Reads what the page shows, once a second. Used by one thread.
 */
final class Instruments {

	private static final String COPY = "spring:session:sessions:";

	private static final String[] CAUSES = { "lost", "unavailable", "unanswered", "unknown" };

	private static final Logger logger = LoggerFactory.getLogger(Instruments.class);

	private final ResilientSessionEndpoint endpoint;

	private final MeterRegistry meters;

	private final LoadGenerator load;

	private final ResilientSessionRepository repository;

	private final AnsweredBy answeredBy;

	private final RedisServer redis;

	private final String database;

	private final JdbcTemplate sessions;

	private final JdbcTemplate administrator;

	private final Map<String, Double> before = new HashMap<>();

	Instruments(ResilientSessionEndpoint endpoint, MeterRegistry meters, LoadGenerator load,
			ResilientSessionRepository repository, AnsweredBy answeredBy, RedisServer redis, PostgresServer postgres,
			String database) {
		this.endpoint = endpoint;
		this.meters = meters;
		this.load = load;
		this.repository = repository;
		this.answeredBy = answeredBy;
		this.redis = redis;
		this.database = database;
		// Beside the pools, which may be exhausted. Of what is read here, one read and
		// one transaction for each visitor with an open page are among what is shown.
		this.sessions = new JdbcTemplate(postgres.dataSource(database));
		this.administrator = new JdbcTemplate(postgres.dataSource("postgres"));
	}

	/**
	 * Read all instruments that show the same to everybody.
	 */
	Reading read() {
		double hits = since("resilient.session.hits", null);
		Map<String, Double> misses = new LinkedHashMap<>();
		for (String cause : CAUSES) {
			misses.put(cause, since("resilient.session.misses", cause));
		}
		return new Reading(this.endpoint.describe(), hits, misses, database(), this.load.visitsPerSecond(),
				this.load.take());
	}

	private double since(String name, @Nullable String cause) {
		double now = this.meters.find(name)
			.counters()
			.stream()
			.filter((counter) -> cause == null || cause.equals(counter.getId().getTag("cause")))
			.mapToDouble(Counter::count)
			.sum();
		Double last = this.before.put(name + "/" + cause, now);
		return (last != null) ? now - last : 0;
	}

	private Database database() {
		try {
			double transactions = number("select xact_commit + xact_rollback from pg_stat_database where datname = ?");
			int active = (int) number("select count(*) from pg_stat_activity where state = 'active' "
					+ "and application_name = 'resilient-session' and datname = ?");
			Double last = this.before.put("transactions", transactions);
			return new Database(true, active, (last != null) ? transactions - last : 0);
		}
		catch (RuntimeException ex) {
			logger.debug("The database does not answer the control room", ex);
			return new Database(false, 0, 0);
		}
	}

	private double number(String query) {
		Double number = this.administrator.queryForObject(query, Double.class, this.database);
		return (number != null) ? number : 0;
	}

	/**
	 * Ask for a visitor's session, as a request of theirs would.
	 */
	@Nullable OwnSession session(String id) {
		try {
			this.answeredBy.take();
			ResilientSession session = this.repository.findById(id);
			String answered = this.answeredBy.take();
			if (session == null) {
				return null;
			}
			return new OwnSession((answered != null) ? answered : "this node", version(id),
					AnsweredBy.REDIS.equals(answered) ? ttl(id) : null);
		}
		catch (RuntimeException ex) {
			logger.debug("No store answers the control room", ex);
			return new OwnSession("no store", null, null);
		}
	}

	private @Nullable Long version(String id) {
		try {
			List<Long> versions = this.sessions
				.queryForList("select version from resilient_session where session_id = ?", Long.class, id);
			return versions.isEmpty() ? null : versions.get(0);
		}
		catch (DataAccessException ex) {
			return null;
		}
	}

	private @Nullable Long ttl(String id) {
		try {
			long millis = this.redis.pttl(COPY + id);
			return (millis >= 0) ? Duration.ofMillis(millis).toSeconds() : null;
		}
		catch (RuntimeException ex) {
			return null;
		}
	}

	/**
	 * What everybody sees.
	 *
	 * @param stores what the endpoint shows
	 * @param hits reads that Redis answered in the last second
	 * @param misses those that it did not, by cause
	 * @param database what the database does
	 * @param visitsPerSecond the load that was asked for
	 * @param load what came of it in the last second
	 */
	record Reading(ResilientSessionEndpoint.Description stores, double hits, Map<String, Double> misses,
			Database database, int visitsPerSecond, LoadGenerator.Visits load) {

	}

	/**
	 * What the database does.
	 *
	 * @param up whether it answers
	 * @param active connections of sessions that execute a statement
	 * @param transactions in the last second; it counts them about once a second
	 */
	record Database(boolean up, int active, double transactions) {

	}

	/**
	 * Where a visitor's session is.
	 *
	 * @param answeredBy the store that gave it
	 * @param version how often it was written, as the database has it
	 * @param ttlSeconds how long its copy in Redis has to live; none if there is no copy
	 */
	record OwnSession(String answeredBy, @Nullable Long version, @Nullable Long ttlSeconds) {

	}

}

package io.github.resilientsession.drill;

import java.util.List;
import java.util.Map;

import org.jspecify.annotations.Nullable;

/**
 * How one side came through a drill.
 *
 * @param drill the drill's name
 * @param side who it was
 * @param sessions how many sessions there were
 * @param falseLogouts visitors who were told that they are not logged in, and were
 * @param lostWrites visitors who found an acknowledged change of their cart missing
 * @param resurrected visitors who had logged out and were logged in again
 * @param errors visits that ended with an error; nobody is logged out by it
 * @param keysWithoutTtl the most session keys without a TTL that Redis had at once
 * @param dbConnectionsPeak the most connections that were executing a statement at once
 * @param dbQueries transactions of the database, from the incident on
 * @param p99Ms the 99th percentile of the time from when a visit was due until it ended,
 * from the incident on, in milliseconds
 * @param secondsToWarm how long after the last incident the last second was in which more
 * than one visit in a hundred found no session in Redis; {@code null} if it was the last
 * that was watched
 * @param passed whether it came through: nobody was logged out, nothing lost, nobody
 * resurrected, and what the drill asks for besides
 * @param failures why it did not, if so
 * @param details what the drill shows besides
 */
record Result(String drill, String side, int sessions, long falseLogouts, long lostWrites, long resurrected,
		long errors, long keysWithoutTtl, int dbConnectionsPeak, long dbQueries, double p99Ms,
		@Nullable Integer secondsToWarm, boolean passed, List<String> failures, Map<String, Object> details) {

}

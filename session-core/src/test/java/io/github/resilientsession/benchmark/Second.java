package io.github.resilientsession.benchmark;

/**
 * One second of a recovery.
 *
 * @param incident what happened to Redis
 * @param peer who is watched
 * @param second seconds since it happened, negative before
 * @param reads that were answered
 * @param errors reads that failed
 * @param absent live sessions that were reported as absent
 * @param p99_ms the 99th percentile of the time from when a read was due until it was
 * answered or failed, in milliseconds
 * @param queries transactions that PostgreSQL has counted for it; the last second has
 * those that it counted later
 * @param connections the most connections that were executing a statement at once
 * @param hit_rate the part of the reads that Redis answered
 */
record Second(String incident, String peer, int second, long reads, long errors, long absent, double p99_ms,
		long queries, int connections, double hit_rate) {

	Second plusQueries(long more) {
		return new Second(this.incident, this.peer, this.second, this.reads, this.errors, this.absent, this.p99_ms,
				this.queries + more, this.connections, this.hit_rate);
	}

}

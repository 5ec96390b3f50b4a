package io.github.resilientsession.durable;

import java.util.List;

import org.jspecify.annotations.Nullable;

import org.springframework.data.domain.Limit;
import org.springframework.data.jpa.repository.Modifying;
import org.springframework.data.jpa.repository.NativeQuery;
import org.springframework.data.jpa.repository.Query;
import org.springframework.data.repository.Repository;
import org.springframework.data.repository.query.Param;

/**
 * Look-ups and administration of rows: what is not done by every request.
 */
interface SessionRowRepository extends Repository<SessionRow, String> {

	@Query("select row from SessionRow row where row.principalName = :name and row.state = 0 and row.expiresAt > :now")
	List<SessionRow> findActiveByPrincipalName(@Param("name") String name, @Param("now") long now);

	@Query("select row from SessionRow row where row.redisPending = true and row.id > :after order by row.id")
	List<SessionRow> findPendingAfter(@Param("after") String after, Limit limit);

	/**
	 * No more than a number that takes little time.
	 */
	@NativeQuery("select count(*) from (select 1 as one from resilient_session where redis_pending limit 100000) pending")
	long countPending();

	@Modifying
	@Query("update SessionRow row set row.redisPending = true where row.id = :id")
	void markPending(@Param("id") String id);

	/**
	 * Rows that expired some time ago, on from a place in the index.
	 */
	@Query("""
			select row from SessionRow row where (row.state, row.expiresAt) <= (0, :now)
			and (row.state, row.expiresAt, row.id) > (0, :expiresAt, :after)
			and row.lastAccessedAt + row.maxInactiveSeconds * 1000
			+ least(:grace, row.maxInactiveSeconds * 1000 / :divisor) <= :before
			order by row.state, row.expiresAt, row.id""")
	List<SessionRow> findExpiredAfter(@Param("now") long now, @Param("before") long before, @Param("grace") long grace,
			@Param("divisor") long divisor, @Param("expiresAt") long expiresAt, @Param("after") String after,
			Limit limit);

	/**
	 * Rows that are of no use any more. They are not found by the delete itself: H2 looks
	 * for them again as it deletes.
	 */
	@Query("""
			select row.id from SessionRow row where row.state > 0 and (row.state, row.expiresAt) <= (1, :now)
			and row.redisPending = false order by row.state, row.expiresAt, row.id""")
	List<String> findPurgeable(@Param("now") long now, Limit limit);

	@Modifying
	@Query("""
			delete from SessionRow row where row.id in :ids and row.state = 1 and row.expiresAt <= :now
			and row.redisPending = false""")
	int purge(@Param("ids") List<String> ids, @Param("now") long now);

}

package io.github.resilientsession.durable;

import java.util.List;

import org.springframework.data.domain.Limit;
import org.springframework.data.jpa.repository.Modifying;
import org.springframework.data.jpa.repository.Query;
import org.springframework.data.repository.Repository;
import org.springframework.data.repository.query.Param;

/**
 * Everything about rows that no request waits for.
 */
interface SessionRowRepository extends Repository<SessionRow, String> {

	@Query("select row from SessionRow row where row.principalName = :name and row.state = 0 and row.expiresAt > :now")
	List<SessionRow> findActiveByPrincipalName(@Param("name") String name, @Param("now") long now);

	@Query("select row from SessionRow row where row.redisPending = true and row.id > :after order by row.id")
	List<SessionRow> findPendingAfter(@Param("after") String after, Limit limit);

	@Modifying
	@Query("update SessionRow row set row.redisPending = true where row.id = :id")
	void markPending(@Param("id") String id);

	@Modifying
	@Query("update SessionRow row set row.redisPending = false where row.id = :id and row.version = :version")
	int clearPending(@Param("id") String id, @Param("version") long version);

}

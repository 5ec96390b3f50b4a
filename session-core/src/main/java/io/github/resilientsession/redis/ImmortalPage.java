package io.github.resilientsession.redis;

import java.util.List;

/**
 * Those of some sessions in Redis that have no TTL.
 *
 * @param size how many sessions were looked at; one may come more than once over all
 * pages
 * @param ids the ids of those without a TTL
 * @param cursor where the next page begins, or {@link CopyPage#START} if this was the
 * last
 */
public record ImmortalPage(int size, List<String> ids, String cursor) {

}

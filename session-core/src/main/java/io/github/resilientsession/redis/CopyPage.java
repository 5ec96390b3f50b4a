package io.github.resilientsession.redis;

import java.util.List;

/**
 * Some of the copies that Redis holds.
 *
 * @param ids the ids of their sessions; an id may come more than once over all pages
 * @param cursor where the next page begins, or {@link #START} if this was the last
 */
public record CopyPage(List<String> ids, String cursor) {

	/**
	 * The cursor of the first page.
	 */
	public static final String START = "0";

}

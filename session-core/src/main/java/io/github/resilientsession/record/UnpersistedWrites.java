package io.github.resilientsession.record;

import java.net.URLDecoder;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

import org.jspecify.annotations.Nullable;

/**
 * The writes that only a Redis copy has, since the durable store could not take them when
 * they were made: which parts of the copy they changed, each with the token of the write.
 * <p>
 * When the durable store is back, just these parts are merged into the row, so that what
 * others have committed meanwhile stays. The row remembers the tokens that it was given
 * last. A copy that comes back later with the same tokens, because Redis could not be
 * told, is thereby known to bring nothing new.
 * <p>
 * Its text is a line for each part: the token, a letter for the kind of part, and the
 * name, URL-encoded.
 */
public final class UnpersistedWrites {

	/**
	 * A copy without unpersisted writes.
	 */
	public static final UnpersistedWrites NONE = new UnpersistedWrites(Map.of());

	private static final String INTERVAL = "i";

	private static final String PRINCIPAL = "p";

	private static final String ATTRIBUTE = "a";

	/**
	 * Stands before the token of a write of which nothing is left, since later ones have
	 * changed the same. It is persisted with them: a slow request that still has the
	 * earlier state must not bring it back.
	 */
	private static final String SUPERSEDED = "x";

	/**
	 * Stands for the token of a write that has none.
	 */
	private static final String LATER = "later";

	/**
	 * Superseded tokens that are kept: more than slow requests there are of one session.
	 */
	private static final int MAX_SUPERSEDED = 64;

	/**
	 * The token by part, which is written as in the text.
	 */
	private final Map<String, String> tokens;

	private UnpersistedWrites(Map<String, String> tokens) {
		this.tokens = tokens;
	}

	/**
	 * Read the text of unpersisted writes.
	 * @param text from {@link #text()}
	 * @return the writes
	 * @throws IllegalArgumentException if it is not such a text
	 */
	public static UnpersistedWrites parse(String text) {
		Map<String, String> tokens = new LinkedHashMap<>();
		text.lines().forEach((line) -> {
			int space = line.indexOf(' ');
			if (space <= 0 || space == line.length() - 1) {
				throw new IllegalArgumentException("The mark of unpersisted writes has a line without a token");
			}
			tokens.put(line.substring(space + 1), line.substring(0, space));
		});
		return tokens.isEmpty() ? NONE : new UnpersistedWrites(tokens);
	}

	/**
	 * The text of these writes.
	 * @return the same for the same writes, so that it can be compared for equality
	 */
	public String text() {
		List<String> lines = new ArrayList<>(this.tokens.size());
		this.tokens.forEach((part, token) -> lines.add(token + " " + part));
		return String.join("\n", lines);
	}

	/**
	 * Whether there is none.
	 * @return whether the durable store knows all that the copy holds
	 */
	public boolean isEmpty() {
		return this.tokens.isEmpty();
	}

	/**
	 * The tokens of these writes.
	 * @return each once
	 */
	public Set<String> tokens() {
		return new LinkedHashSet<>(this.tokens.values());
	}

	/**
	 * These writes and another.
	 * @param change the write
	 * @param token its token: never used before, without spaces
	 * @return the writes of both
	 */
	public UnpersistedWrites with(SessionChange change, String token) {
		Map<String, String> all = new LinkedHashMap<>();
		change.attributes().keySet().forEach((name) -> all.put(part(ATTRIBUTE, name), token));
		change.removedAttributes().forEach((name) -> all.put(part(ATTRIBUTE, name), token));
		if (change.maxInactiveInterval() != null) {
			all.put(INTERVAL, token);
		}
		SessionChange.Principal principal = change.principal();
		if (principal != null) {
			all.put((principal.name() != null) ? part(PRINCIPAL, principal.name()) : PRINCIPAL, token);
		}
		return new UnpersistedWrites(all).over(this);
	}

	/**
	 * These writes and earlier ones.
	 * @param earlier the others, of which nothing is left where both are of the same part
	 * @return the writes of both
	 */
	UnpersistedWrites over(UnpersistedWrites earlier) {
		Map<String, String> all = new LinkedHashMap<>(earlier.tokens);
		Set<String> before = new LinkedHashSet<>(earlier.tokens.values());
		if (hasPrincipal()) {
			all.keySet().removeIf((part) -> part.startsWith(PRINCIPAL));
		}
		all.putAll(this.tokens);
		before.removeAll(all.values());
		before.forEach((superseded) -> all.put(SUPERSEDED + " " + superseded, superseded));
		List<String> superseded = all.keySet().stream().filter((part) -> part.startsWith(SUPERSEDED)).toList();
		superseded.subList(0, Math.max(0, superseded.size() - MAX_SUPERSEDED)).forEach(all::remove);
		return all.isEmpty() ? NONE : new UnpersistedWrites(all);
	}

	/**
	 * These writes without those that the durable store has been given before.
	 * @param persisted their tokens
	 * @return what is left
	 */
	public UnpersistedWrites without(Collection<String> persisted) {
		Map<String, String> left = new LinkedHashMap<>(this.tokens);
		left.values().removeAll(new HashSet<>(persisted));
		return left.isEmpty() ? NONE : new UnpersistedWrites(left);
	}

	/**
	 * The tokens of those of these writes of which a later change replaces something, or
	 * another has before.
	 * @param later the change
	 * @return each once, in a set that the caller may change
	 */
	public Set<String> replacedBy(SessionChange later) {
		Map<String, String> replaced = new LinkedHashMap<>(this.tokens);
		Set<String> kept = under(NONE.with(later, LATER)).tokens.keySet();
		replaced.keySet().removeIf((part) -> kept.contains(part) && !part.startsWith(SUPERSEDED));
		return new LinkedHashSet<>(replaced.values());
	}

	/**
	 * These writes under a later change that is no unpersisted one.
	 * @param later the change
	 * @return what is left, and the tokens of writes of which nothing is
	 */
	public UnpersistedWrites supersededBy(SessionChange later) {
		return NONE.with(later, LATER).over(this).without(Set.of(LATER));
	}

	/**
	 * These writes without those of parts that others have written since.
	 * @param later the others
	 * @return what is left
	 */
	UnpersistedWrites under(UnpersistedWrites later) {
		Map<String, String> left = new LinkedHashMap<>(this.tokens);
		left.keySet().removeAll(later.tokens.keySet());
		if (later.hasPrincipal()) {
			left.keySet().removeIf((part) -> part.startsWith(PRINCIPAL));
		}
		return left.isEmpty() ? NONE : new UnpersistedWrites(left);
	}

	/**
	 * These writes as a change.
	 * @param copy the copy that holds them
	 * @return the change, with the copy's last access
	 */
	public SessionChange changeOf(SessionRecord copy) {
		Map<String, byte[]> attributes = new HashMap<>();
		Set<String> removed = new HashSet<>();
		Duration interval = null;
		SessionChange.Principal principal = null;
		for (String part : this.tokens.keySet()) {
			String name = name(part);
			if (part.startsWith(INTERVAL)) {
				interval = copy.maxInactiveInterval();
			}
			else if (part.startsWith(PRINCIPAL)) {
				principal = new SessionChange.Principal(name);
			}
			else if (part.startsWith(ATTRIBUTE) && name != null) {
				byte[] value = copy.attributes().get(name);
				if (value != null) {
					attributes.put(name, value);
				}
				else {
					removed.add(name);
				}
			}
		}
		return new SessionChange(copy.id(), copy.lastAccessedTime(), interval, attributes, removed, principal);
	}

	private boolean hasPrincipal() {
		return this.tokens.keySet().stream().anyMatch((part) -> part.startsWith(PRINCIPAL));
	}

	private static String part(String kind, String name) {
		return kind + " " + URLEncoder.encode(name, StandardCharsets.UTF_8);
	}

	private static @Nullable String name(String part) {
		int space = part.indexOf(' ');
		return (space < 0) ? null : URLDecoder.decode(part.substring(space + 1), StandardCharsets.UTF_8);
	}

	@Override
	public boolean equals(@Nullable Object other) {
		return other instanceof UnpersistedWrites writes && this.tokens.equals(writes.tokens);
	}

	@Override
	public int hashCode() {
		return this.tokens.hashCode();
	}

	@Override
	public String toString() {
		return this.tokens.size() + " unpersisted parts";
	}

}

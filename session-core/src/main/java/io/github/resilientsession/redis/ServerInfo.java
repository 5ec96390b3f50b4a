package io.github.resilientsession.redis;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;

/**
 * What a Redis server says of itself: the answer to {@code INFO}, as far as it gave one.
 * A field that is missing, or is not what it should be, is empty: servers differ in what
 * they tell. Immutable.
 */
public final class ServerInfo {

	/**
	 * What a server says that does not allow to be asked.
	 */
	public static final ServerInfo NONE = new ServerInfo(Map.of());

	private final Map<String, String> fields;

	private ServerInfo(Map<String, String> fields) {
		this.fields = fields;
	}

	/**
	 * Read an answer.
	 * @param answer the lines, each a name and a value with a colon between; others are
	 * left out, and so is a last line without its end, which may have been cut short
	 * @return what they say
	 */
	public static ServerInfo parse(String answer) {
		Map<String, String> fields = new LinkedHashMap<>();
		answer.substring(0, answer.lastIndexOf('\n') + 1).lines().forEach((line) -> {
			int colon = line.indexOf(':');
			if (colon > 0 && line.charAt(0) != '#') {
				fields.putIfAbsent(line.substring(0, colon), line.substring(colon + 1).trim());
			}
		});
		return new ServerInfo(fields);
	}

	/**
	 * Whether the server has said nothing.
	 * @return whether there is no field
	 */
	public boolean isEmpty() {
		return this.fields.isEmpty();
	}

	/**
	 * A field.
	 * @param name its name, as {@code INFO} has it
	 * @return its value; empty if there is none
	 */
	public Optional<String> text(String name) {
		return Optional.ofNullable(this.fields.get(name)).filter((value) -> !value.isEmpty());
	}

	/**
	 * A field that is a number.
	 * @param name its name, as {@code INFO} has it
	 * @return its value; empty if there is none, or if it is no number
	 */
	public OptionalDouble number(String name) {
		return text(name).map(ServerInfo::parseNumber).orElse(OptionalDouble.empty());
	}

	private static OptionalDouble parseNumber(String value) {
		try {
			double number = Double.parseDouble(value);
			return Double.isFinite(number) ? OptionalDouble.of(number) : OptionalDouble.empty();
		}
		catch (NumberFormatException ex) {
			return OptionalDouble.empty();
		}
	}

	/**
	 * Fields that are numbered and have parts, as those of replicas
	 * ({@code slave0:ip=10.0.0.1,lag=1}) and databases ({@code db0:keys=3}).
	 * @param prefix what stands before the number
	 * @return the parts of each, by name
	 */
	public List<ServerInfo> list(String prefix) {
		List<ServerInfo> list = new ArrayList<>();
		this.fields.forEach((name, value) -> {
			if (name.startsWith(prefix) && name.substring(prefix.length()).matches("\\d+")) {
				list.add(parse(value.replace(',', '\n').replace('=', ':') + '\n'));
			}
		});
		return list;
	}

}

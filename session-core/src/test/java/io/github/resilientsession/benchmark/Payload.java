package io.github.resilientsession.benchmark;

import java.util.LinkedHashMap;
import java.util.Map;

import org.springframework.session.Session;

/**
 * What a session holds: ten attributes of the same size. They are texts, the cheapest
 * there is to deserialize, which is to the advantage of those that deserialize all of
 * them.
 *
 * @param name the size in words
 * @param attributeLength the characters of each
 */
record Payload(String name, int attributeLength) {

	static final Payload SMALL = new Payload("1.2 KB", 120);

	static final Payload LARGE = new Payload("10 KB", 1_024);

	static final int ATTRIBUTES = 10;

	Map<String, String> attributes() {
		Map<String, String> attributes = new LinkedHashMap<>();
		for (int i = 0; i < ATTRIBUTES; i++) {
			attributes.put("attribute" + i, text(i));
		}
		return attributes;
	}

	/**
	 * A value for an attribute.
	 * @param number what it is to say
	 */
	String text(long number) {
		String digits = Long.toString(number);
		return digits + "x".repeat(this.attributeLength - digits.length());
	}

	void fill(Session session) {
		attributes().forEach(session::setAttribute);
	}

}

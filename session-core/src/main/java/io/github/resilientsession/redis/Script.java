package io.github.resilientsession.redis;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Locale;

import io.lettuce.core.codec.Base16;

/**
 * The scripts, each a Lua file behind a common prelude; one round trip per write.
 */
enum Script {

	TOUCH, APPLY, PUT, DISCARD, BEAT, AGREE, FLAG, IMMORTAL, LIMIT;

	private final String source;

	private final String sha;

	Script() {
		this.source = read("prelude") + read(name().toLowerCase(Locale.ROOT));
		this.sha = Base16.digest(source());
	}

	byte[] source() {
		return this.source.getBytes(StandardCharsets.UTF_8);
	}

	String text() {
		return this.source;
	}

	String sha() {
		return this.sha;
	}

	private static String read(String name) {
		try (InputStream in = Script.class.getResourceAsStream(name + ".lua")) {
			if (in == null) {
				throw new IllegalStateException("The script " + name + ".lua is missing from the library's jar");
			}
			return new String(in.readAllBytes(), StandardCharsets.UTF_8);
		}
		catch (IOException ex) {
			throw new UncheckedIOException(ex);
		}
	}

}

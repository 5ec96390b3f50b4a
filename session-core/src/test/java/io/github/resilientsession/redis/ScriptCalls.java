package io.github.resilientsession.redis;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * Tells which script a call to Redis runs.
 */
public final class ScriptCalls {

	private ScriptCalls() {
	}

	/**
	 * Whether a call runs the script that counts a beat.
	 * @param script the digest or the source that is sent
	 */
	public static boolean isBeat(Object script) {
		return is(Script.BEAT, script);
	}

	/**
	 * Whether a call runs the script that applies a change; the mark afterwards is the
	 * fourth of its values.
	 */
	public static boolean isApply(Object script) {
		return is(Script.APPLY, script);
	}

	/**
	 * Whether a call runs the script that puts a whole copy; the condition is the second
	 * of its values.
	 */
	public static boolean isPut(Object script) {
		return is(Script.PUT, script);
	}

	/**
	 * The script that puts a whole copy, but deletes what is there in place of putting
	 * anything.
	 */
	public static byte[] deleteInstead() {
		String source = new String(Script.PUT.source(), StandardCharsets.UTF_8);
		String instead = source.replace("hset(7, #ARGV)", "redis.call('DEL', KEYS[1])");
		if (instead.equals(source)) {
			throw new IllegalStateException("The script has changed");
		}
		return instead.getBytes(StandardCharsets.UTF_8);
	}

	private static boolean is(Script script, Object sent) {
		return script.sha().equals(sent) || (sent instanceof byte[] source && Arrays.equals(script.source(), source));
	}

}

package io.github.resilientsession.testsupport;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;

/**
 * Watches which commands a Redis is sent, with {@code MONITOR}. It slows the server down.
 * Not safe for use by many threads.
 */
public final class CommandWatch implements AutoCloseable {

	private final RedisServer redis;

	private final Socket socket;

	private final BufferedReader lines;

	private CommandWatch(RedisServer redis, Socket socket, BufferedReader lines) {
		this.redis = redis;
		this.socket = socket;
		this.lines = lines;
	}

	static CommandWatch start(RedisServer redis) throws IOException {
		Socket socket = new Socket(redis.host(), redis.port());
		BufferedReader lines = new BufferedReader(
				new InputStreamReader(socket.getInputStream(), StandardCharsets.ISO_8859_1));
		socket.getOutputStream().write("MONITOR\r\n".getBytes(StandardCharsets.US_ASCII));
		lines.readLine();
		return new CommandWatch(redis, socket, lines);
	}

	/**
	 * The commands since the last call; a script is one, whatever it does.
	 * @param part what they contain
	 * @return the commands as Redis logs them, in their order
	 * @throws IOException if the server does not answer
	 */
	public List<String> take(String part) throws IOException {
		String last = UUID.randomUUID().toString();
		this.redis.call((commands) -> commands.echo(last));
		List<String> found = new ArrayList<>();
		for (String line = this.lines.readLine(); line != null && !line.contains(last); line = this.lines.readLine()) {
			if (line.contains(part) && !line.contains(" lua] ")) {
				found.add(line);
			}
		}
		return found;
	}

	@Override
	public void close() throws IOException {
		this.socket.close();
	}

}

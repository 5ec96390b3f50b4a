package io.github.resilientsession.testsupport;

import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketException;
import java.net.SocketTimeoutException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;

import org.assertj.core.api.ThrowableTypeAssert;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.awaitility.Awaitility.await;

class WireTests {

	private final Echo echo = new Echo("");

	private final Wire wire = Wire.to("127.0.0.1", this.echo.port());

	private Socket client;

	WireTests() throws IOException {
	}

	@BeforeEach
	void connect() throws IOException {
		this.client = open();
		assertThat(ask("hello")).isEqualTo("hello");
	}

	@AfterEach
	void close() throws IOException {
		this.client.close();
		this.wire.close();
		this.echo.close();
		assertThat(Thread.getAllStackTraces().keySet())
			.noneMatch((thread) -> thread.getName().equals("wire-" + this.wire.port()));
	}

	@Test
	void cut_resetsConnections_andNewOnesToo_untilHealed() throws Exception {
		this.wire.cut();
		assertThatReset().isThrownBy(() -> ask("lost"));
		try (Socket refused = open()) {
			assertThatReset().isThrownBy(() -> ask(refused, "lost", 4));
		}
		this.wire.heal();
		this.client = open();
		assertThat(ask("hello")).isEqualTo("hello");
	}

	@Test
	void blackhole_acceptsConnectionsAndPassesNothing_untilHealed() throws Exception {
		this.wire.blackhole();
		this.client.setSoTimeout(100);
		assertThatExceptionOfType(SocketTimeoutException.class).isThrownBy(() -> ask("late"));
		try (Socket other = open()) {
			other.setSoTimeout(100);
			assertThatExceptionOfType(SocketTimeoutException.class).isThrownBy(() -> ask(other, "late", 4));
			this.wire.heal();
			other.setSoTimeout(5_000);
			assertThat(read(other, 4)).isEqualTo("late");
		}
		this.client.setSoTimeout(5_000);
		assertThat(read(this.client, 4)).isEqualTo("late");
	}

	@Test
	void delay_takesBothWays_andHoldsUpNoMoreThanThat() throws Exception {
		this.wire.delay(Duration.ofMillis(100));
		long start = System.nanoTime();
		for (int i = 0; i < 50; i++) {
			this.client.getOutputStream().write("0123456789".getBytes(StandardCharsets.US_ASCII));
		}
		assertThat(read(this.client, 500)).hasSize(500);
		assertThat(Duration.ofNanos(System.nanoTime() - start)).isBetween(Duration.ofMillis(200),
				Duration.ofMillis(2_000));
		this.wire.heal();
		start = System.nanoTime();
		assertThat(ask("hello")).isEqualTo("hello");
		assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofMillis(100));
	}

	@Test
	void cutMidReply_passesSomeOfIt_andOnlyOnce() throws Exception {
		this.wire.cutMidReply(2);
		assertThat(this.wire.replyWasCut()).isFalse();
		this.client.getOutputStream().write("hello".getBytes(StandardCharsets.US_ASCII));
		assertThat(read(this.client, 2)).isEqualTo("he");
		assertThatReset().isThrownBy(() -> read(this.client, 1));
		assertThat(this.wire.replyWasCut()).isTrue();
		this.client = open();
		assertThat(ask("hello")).isEqualTo("hello");
	}

	@Test
	void cutMidReply_toARequest_passesTheRepliesToOthers() throws Exception {
		this.wire.cutMidReply("certain", 2);
		assertThat(ask("other")).isEqualTo("other");
		assertThat(this.wire.replyWasCut()).isFalse();
		try (Socket other = open()) {
			other.getOutputStream().write("a certain one".getBytes(StandardCharsets.US_ASCII));
			assertThat(read(other, 2)).isEqualTo("a ");
			assertThatReset().isThrownBy(() -> read(other, 1));
		}
		assertThat(this.wire.replyWasCut()).isTrue();
		assertThat(ask("a certain one")).isEqualTo("a certain one");
	}

	@Test
	void redirect_resetsConnections_andNewOnesReachTheOtherServer() throws Exception {
		try (Echo other = new Echo("other:")) {
			this.wire.redirect("127.0.0.1", other.port());
			assertThatReset().isThrownBy(() -> ask("lost"));
			this.wire.heal();
			this.client = open();
			assertThat(ask(this.client, "hello", 11)).isEqualTo("other:hello");
		}
	}

	@Test
	void serverThatIsNotThere_resetsConnections_andClosedOnesAreForgotten() throws Exception {
		this.wire.redirect("127.0.0.1", 1);
		try (Socket refused = open()) {
			assertThatReset().isThrownBy(() -> ask(refused, "lost", 4));
		}
		this.wire.redirect("127.0.0.1", this.echo.port());
		this.client = open();
		assertThat(ask("hello")).isEqualTo("hello");
		assertThat(this.wire.connections()).isEqualTo(1);
		this.client.close();
		await().untilAsserted(() -> assertThat(this.wire.connections()).isZero());
	}

	@Test
	void muchAtOnce_arrivesAsItWasSent() throws Exception {
		String much = "0123456789".repeat(500_000);
		Thread sender = new Thread(() -> {
			try {
				this.client.getOutputStream().write(much.getBytes(StandardCharsets.US_ASCII));
			}
			catch (IOException ex) {
				throw new IllegalStateException(ex);
			}
		});
		sender.start();
		assertThat(read(this.client, much.length())).isEqualTo(much);
		sender.join();
	}

	private static ThrowableTypeAssert<SocketException> assertThatReset() {
		return assertThatExceptionOfType(SocketException.class);
	}

	private Socket open() throws IOException {
		Socket socket = new Socket(this.wire.host(), this.wire.port());
		socket.setSoTimeout(5_000);
		return socket;
	}

	private String ask(String text) throws IOException {
		return ask(this.client, text, text.length());
	}

	private static String ask(Socket socket, String text, int length) throws IOException {
		socket.getOutputStream().write(text.getBytes(StandardCharsets.US_ASCII));
		return read(socket, length);
	}

	private static String read(Socket socket, int length) throws IOException {
		byte[] bytes = socket.getInputStream().readNBytes(length);
		if (bytes.length < length) {
			throw new EOFException("The connection ended after " + bytes.length + " bytes");
		}
		return new String(bytes, StandardCharsets.US_ASCII);
	}

	/**
	 * A server that sends back what it gets.
	 */
	private static final class Echo implements AutoCloseable {

		private final ServerSocket listener = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());

		private final byte[] greeting;

		Echo(String greeting) throws IOException {
			this.greeting = greeting.getBytes(StandardCharsets.US_ASCII);
			start(this::accept);
		}

		private static void start(Runnable task) {
			Thread thread = new Thread(task, "echo");
			thread.setDaemon(true);
			thread.start();
		}

		int port() {
			return this.listener.getLocalPort();
		}

		private void accept() {
			try {
				while (true) {
					Socket socket = this.listener.accept();
					start(() -> echo(socket));
				}
			}
			catch (IOException ex) {
				// Closed.
			}
		}

		private void echo(Socket socket) {
			try (socket; InputStream in = socket.getInputStream()) {
				socket.getOutputStream().write(this.greeting);
				in.transferTo(socket.getOutputStream());
			}
			catch (IOException ex) {
				// Its client is gone.
			}
		}

		@Override
		public void close() throws IOException {
			this.listener.close();
		}

	}

}

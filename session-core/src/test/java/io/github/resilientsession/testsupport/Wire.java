package io.github.resilientsession.testsupport;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.CancelledKeyException;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;

/**
 * The network between a node and a server: a TCP proxy on a free loopback port, whose
 * faults are operations. When an operation returns, the fault is there. A fault replaces
 * the one before it. Safe for use by many threads.
 */
public final class Wire implements AutoCloseable {

	private static final int BUFFER_SIZE = 1 << 16;

	private final ServerSocketChannel listener;

	private final Selector selector;

	private final Thread thread;

	private final Queue<Runnable> tasks = new ConcurrentLinkedQueue<>();

	private final List<WireConnection> connections = new ArrayList<>();

	private InetSocketAddress target;

	private State state = State.PASSING;

	private Duration delay = Duration.ZERO;

	private int bytesOfNextReply = -1;

	private String requestToCut = "";

	private WireConnection toCut;

	private volatile boolean replyCut;

	private volatile boolean closed;

	private Wire(InetSocketAddress target) throws IOException {
		this.target = target;
		this.selector = Selector.open();
		this.listener = ServerSocketChannel.open();
		this.listener.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 1_000);
		this.listener.configureBlocking(false).register(this.selector, SelectionKey.OP_ACCEPT);
		this.thread = new Thread(this::run, "wire-" + port());
		this.thread.setDaemon(true);
		this.thread.start();
	}

	/**
	 * Lay a wire to a server, which need not be there yet.
	 * @param host the server's host
	 * @param port the server's port
	 * @return the wire, passing
	 */
	public static Wire to(String host, int port) {
		try {
			return new Wire(new InetSocketAddress(host, port));
		}
		catch (IOException ex) {
			throw new UncheckedIOException(ex);
		}
	}

	public String host() {
		return "127.0.0.1";
	}

	public int port() {
		return this.listener.socket().getLocalPort();
	}

	/**
	 * Reset all connections, and each new one as soon as it is made. The port stays bound
	 * because somebody else could be given it.
	 */
	public void cut() {
		change(() -> {
			this.state = State.CUT;
			resetAll();
		});
	}

	/**
	 * Pass nothing either way; connections stay, and new ones are accepted. What is sent
	 * meanwhile arrives after {@link #heal()}, however late and also if its sender has
	 * given up, as it does when a network comes back before a connection is given up.
	 */
	public void blackhole() {
		change(() -> this.state = State.BLACK_HOLE);
	}

	/**
	 * Let the connections that are there die without a word, as they do when the other
	 * machine vanishes: they stay, and pass nothing any more, also after {@link #heal()}.
	 * New ones are as good as any.
	 */
	public void killSilently() {
		change(() -> this.connections.forEach(WireConnection::die));
	}

	/**
	 * Let everything take longer, also what is on its way on connections that are there.
	 * @param each how much longer in each direction, so a round trip takes twice as much
	 */
	public void delay(Duration each) {
		change(() -> {
			this.state = State.PASSING;
			this.delay = each;
		});
	}

	/**
	 * Let the first bytes of the next reply on any connection through, never all of what
	 * came at once, and reset that connection. The server has executed the request.
	 * @param bytes how many bytes, may be 0
	 * @see #replyWasCut()
	 */
	public void cutMidReply(int bytes) {
		cutMidReply("", bytes);
	}

	/**
	 * Like {@link #cutMidReply(int)}, but let everything pass until there is a certain
	 * request, whose connection is reset before all of its reply has come.
	 * @param request what the request contains, in ASCII and at once
	 * @param bytes how many bytes may pass, may be 0
	 * @see #replyWasCut()
	 */
	public void cutMidReply(String request, int bytes) {
		change(() -> {
			this.state = State.PASSING;
			this.delay = Duration.ZERO;
			this.replyCut = false;
			this.requestToCut = request;
			this.toCut = null;
			this.bytesOfNextReply = bytes;
		});
	}

	/**
	 * Whether such a reply has come since it was to be cut.
	 * @return whether its connection was reset
	 */
	public boolean replyWasCut() {
		return this.replyCut;
	}

	/**
	 * Let new connections go elsewhere, and reset those that are there. Stays over
	 * {@link #heal()}.
	 * @param host the other server's host
	 * @param port the other server's port
	 */
	public void redirect(String host, int port) {
		InetSocketAddress other = new InetSocketAddress(host, port);
		change(() -> {
			this.target = other;
			resetAll();
		});
	}

	/**
	 * End every fault: pass everything at once, also what a black hole has kept back.
	 */
	public void heal() {
		change(() -> {
			this.state = State.PASSING;
			this.delay = Duration.ZERO;
			this.bytesOfNextReply = -1;
		});
	}

	/**
	 * The connections that are there.
	 * @return how many
	 */
	public int connections() {
		CompletableFuture<Integer> count = new CompletableFuture<>();
		change(() -> count.complete(this.connections.size()));
		return count.join();
	}

	/**
	 * Reset all connections and stop listening.
	 */
	@Override
	public void close() {
		this.closed = true;
		this.selector.wakeup();
		try {
			this.thread.join(TimeUnit.SECONDS.toMillis(5));
		}
		catch (InterruptedException ex) {
			Thread.currentThread().interrupt();
		}
	}

	private void change(Runnable change) {
		CompletableFuture<Void> done = new CompletableFuture<>();
		this.tasks.add(() -> {
			change.run();
			done.complete(null);
		});
		this.selector.wakeup();
		done.orTimeout(5, TimeUnit.SECONDS).join();
	}

	Duration delayOfOneWay() {
		return this.delay;
	}

	/**
	 * Look for the request whose reply is to be cut.
	 */
	void requested(WireConnection connection, ByteBuffer request) {
		if (this.bytesOfNextReply >= 0 && !this.requestToCut.isEmpty()
				&& StandardCharsets.US_ASCII.decode(request.duplicate()).toString().contains(this.requestToCut)) {
			this.toCut = connection;
		}
	}

	/**
	 * How many bytes of a reply may pass; if less than all, the connection is reset.
	 */
	int passOfReply(WireConnection connection, int length) {
		if (this.bytesOfNextReply < 0 || !(this.requestToCut.isEmpty() || connection == this.toCut)) {
			return length;
		}
		int passed = Math.min(this.bytesOfNextReply, length - 1);
		this.bytesOfNextReply = -1;
		this.replyCut = true;
		return passed;
	}

	private void run() {
		ByteBuffer buffer = ByteBuffer.allocate(BUFFER_SIZE);
		try (this.selector; this.listener) {
			while (!this.closed) {
				for (Runnable task = this.tasks.poll(); task != null; task = this.tasks.poll()) {
					task.run();
				}
				long wait = write();
				this.selector.select(TimeUnit.NANOSECONDS.toMillis(wait) + 1);
				for (SelectionKey key : this.selector.selectedKeys()) {
					handle(key, buffer);
				}
				this.selector.selectedKeys().clear();
			}
			resetAll();
		}
		catch (IOException ex) {
			throw new UncheckedIOException(ex);
		}
	}

	private long write() {
		long next = TimeUnit.SECONDS.toNanos(1);
		for (WireConnection connection : this.connections) {
			try {
				next = Math.min(next, connection.write(this.state == State.BLACK_HOLE));
			}
			catch (IOException | CancelledKeyException ex) {
				connection.reset();
			}
		}
		this.connections.removeIf((connection) -> !connection.isOpen());
		return next;
	}

	private void handle(SelectionKey key, ByteBuffer buffer) throws IOException {
		if (!(key.attachment() instanceof WireConnection connection)) {
			accept(this.listener.accept());
			return;
		}
		try {
			if (connection.isOpen()) {
				connection.read(this, buffer);
			}
		}
		catch (IOException | CancelledKeyException ex) {
			connection.reset();
		}
	}

	private void accept(SocketChannel client) throws IOException {
		if (client == null) {
			return;
		}
		if (this.state != State.CUT) {
			try {
				this.connections.add(new WireConnection(this.selector, client, this.target));
				return;
			}
			catch (IOException ex) {
				// The server cannot be reached.
			}
		}
		client.setOption(StandardSocketOptions.SO_LINGER, 0);
		client.close();
	}

	private void resetAll() {
		this.connections.forEach(WireConnection::reset);
		this.connections.clear();
		try {
			// Registered channels are closed by the next selection, so no later than now.
			this.selector.selectNow();
		}
		catch (IOException ex) {
			throw new UncheckedIOException(ex);
		}
	}

	private enum State {

		PASSING, CUT, BLACK_HOLE

	}

}

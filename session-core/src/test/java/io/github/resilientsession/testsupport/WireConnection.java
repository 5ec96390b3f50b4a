package io.github.resilientsession.testsupport;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;

/**
 * A client's connection through a {@link Wire}, with its connection to the server. Used
 * by the wire's thread only.
 */
final class WireConnection {

	private static final int MAX_QUEUED = 1 << 20;

	private final SelectionKey client;

	private final SelectionKey server;

	private final Direction requests;

	private final Direction replies;

	private boolean open = true;

	private boolean dead;

	WireConnection(Selector selector, SocketChannel client, InetSocketAddress target) throws IOException {
		SocketChannel server = SocketChannel.open();
		client.setOption(StandardSocketOptions.TCP_NODELAY, true).configureBlocking(false);
		server.setOption(StandardSocketOptions.TCP_NODELAY, true).configureBlocking(false);
		this.client = client.register(selector, 0, this);
		this.server = server.register(selector, SelectionKey.OP_CONNECT, this);
		this.requests = new Direction(client, server);
		this.replies = new Direction(server, client);
		server.connect(target);
	}

	boolean isOpen() {
		return this.open;
	}

	/**
	 * Pass nothing from now on.
	 */
	void die() {
		this.dead = true;
	}

	/**
	 * Read what has come, at most a buffer from each side.
	 * @param wire decides what becomes of a reply
	 */
	void read(Wire wire, ByteBuffer buffer) throws IOException {
		if (this.server.isConnectable()) {
			((SocketChannel) this.server.channel()).finishConnect();
			this.server.interestOps(0);
		}
		if (this.client.isReadable() && this.requests.fill(buffer)) {
			wire.requested(this, buffer);
			this.requests.queue(buffer, wire.delayOfOneWay());
		}
		if (this.server.isReadable() && this.replies.fill(buffer)) {
			int passed = wire.passOfReply(this, buffer.remaining());
			if (passed < buffer.remaining()) {
				buffer.limit(buffer.position() + passed);
				this.replies.to.write(buffer);
				reset();
				return;
			}
			this.replies.queue(buffer, wire.delayOfOneWay());
		}
	}

	/**
	 * Write what is due, and say what to wait for.
	 * @param blackHole whether nothing may pass
	 * @return in how many nanoseconds something more is due
	 */
	long write(boolean blackHole) throws IOException {
		if (!((SocketChannel) this.server.channel()).isConnected()) {
			return Long.MAX_VALUE;
		}
		if (blackHole || this.dead) {
			this.client.interestOps(0);
			this.server.interestOps(0);
			return Long.MAX_VALUE;
		}
		long next = Math.min(this.requests.write(), this.replies.write());
		if (this.requests.ended && this.replies.ended) {
			close();
			return Long.MAX_VALUE;
		}
		this.client.interestOps(this.requests.readInterest() | this.replies.writeInterest());
		this.server.interestOps(this.replies.readInterest() | this.requests.writeInterest());
		return next;
	}

	/**
	 * Drop both connections so that both sides see a reset.
	 */
	void reset() {
		this.open = false;
		reset(this.client);
		reset(this.server);
	}

	private static void reset(SelectionKey key) {
		try (SocketChannel channel = (SocketChannel) key.channel()) {
			channel.setOption(StandardSocketOptions.SO_LINGER, 0);
		}
		catch (IOException ex) {
			// It is gone already.
		}
	}

	private void close() throws IOException {
		this.open = false;
		this.client.channel().close();
		this.server.channel().close();
	}

	/**
	 * One direction of the connection.
	 */
	private static final class Direction {

		private final SocketChannel from;

		private final SocketChannel to;

		private final Deque<Chunk> chunks = new ArrayDeque<>();

		private int queued;

		private boolean read;

		private boolean ended;

		private boolean blocked;

		Direction(SocketChannel from, SocketChannel to) {
			this.from = from;
			this.to = to;
		}

		boolean fill(ByteBuffer buffer) throws IOException {
			this.read |= this.from.read(buffer.clear()) == -1;
			return buffer.flip().hasRemaining();
		}

		void queue(ByteBuffer buffer, Duration delay) {
			this.queued += buffer.remaining();
			ByteBuffer bytes = ByteBuffer.allocate(buffer.remaining()).put(buffer).flip();
			this.chunks.add(new Chunk(bytes, System.nanoTime() + delay.toNanos()));
		}

		long write() throws IOException {
			this.blocked = false;
			while (!this.chunks.isEmpty()) {
				Chunk chunk = this.chunks.getFirst();
				long wait = chunk.due() - System.nanoTime();
				if (wait > 0) {
					return wait;
				}
				this.queued -= this.to.write(chunk.bytes());
				if (chunk.bytes().hasRemaining()) {
					this.blocked = true;
					return Long.MAX_VALUE;
				}
				this.chunks.removeFirst();
			}
			if (this.read && !this.ended) {
				this.ended = true;
				this.to.shutdownOutput();
			}
			return Long.MAX_VALUE;
		}

		int readInterest() {
			return (!this.read && this.queued < MAX_QUEUED) ? SelectionKey.OP_READ : 0;
		}

		int writeInterest() {
			return this.blocked ? SelectionKey.OP_WRITE : 0;
		}

	}

	/**
	 * Bytes on their way.
	 *
	 * @param bytes the bytes
	 * @param due when they arrive, by {@link System#nanoTime()}
	 */
	private record Chunk(ByteBuffer bytes, long due) {

	}

}

package io.github.resilientsession.checker;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Random;

/**
 * What the clients that share a session know of it: its lives under one id after the
 * other, its attributes, and what was lately done with it.
 */
final class ClientSession {

	private static final int REMEMBERED = 60;

	private final List<Register> registers = new ArrayList<>();

	private final Register removed = new Register("removed", Register.Kind.REMOVED_EVERY_OTHER_TIME);

	private final Register shared = new Register("shared", Register.Kind.SHARED);

	private final int writers;

	private final Deque<Operation> history = new ArrayDeque<>();

	private volatile Life current;

	/**
	 * The life that it has if the change of id that nobody acknowledged has happened.
	 */
	private volatile Life perhaps;

	private volatile boolean inDoubt;

	ClientSession(int writers) {
		this.writers = writers;
		for (int i = 0; i <= writers; i++) {
			this.registers.add(new Register("counter" + i, Register.Kind.SINGLE_WRITER));
		}
		this.registers.add(this.removed);
		this.registers.add(this.shared);
	}

	/**
	 * An attribute that a writer writes: its own mostly, for the first two now and then
	 * the one that they share, for the last one that is removed every other time.
	 */
	Register register(int writer, Random random) {
		if (random.nextInt(3) > 0) {
			return this.registers.get(writer);
		}
		if (writer < 2) {
			return this.shared;
		}
		return (writer == this.writers - 1) ? this.removed : this.registers.get(writer);
	}

	/**
	 * The attribute that is written only to find out whether the session lives.
	 */
	Register probe() {
		return this.registers.get(this.writers);
	}

	List<Register> registers() {
		return this.registers;
	}

	Life current() {
		return this.current;
	}

	void live(Life life) {
		this.current = life;
		this.perhaps = null;
		this.inDoubt = false;
	}

	/**
	 * Nobody knows whether it was ended, or got another id.
	 */
	void doubt(Life perhaps) {
		this.perhaps = perhaps;
		this.inDoubt = true;
	}

	Life perhaps() {
		return this.perhaps;
	}

	boolean isInDoubt() {
		return this.inDoubt;
	}

	boolean isLive() {
		Life life = this.current;
		return life != null && !this.inDoubt && !life.isEnding() && !life.isWrittenOff();
	}

	void record(Operation operation) {
		synchronized (this.history) {
			this.history.addLast(operation);
			if (this.history.size() > REMEMBERED) {
				this.history.removeFirst();
			}
		}
	}

	List<Operation> history() {
		synchronized (this.history) {
			return List.copyOf(this.history);
		}
	}

}

package io.github.resilientsession.checker;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;

/**
 * What the clients that share a session know of it: its lives under one id after the
 * other, its attributes, and what was lately done with it.
 */
final class ClientSession {

	private static final int REMEMBERED = 60;

	private final List<Register> registers = new ArrayList<>();

	private final Deque<Operation> history = new ArrayDeque<>();

	private volatile Life current;

	/**
	 * The life that it has if the change of id that nobody acknowledged has happened.
	 */
	private volatile Life perhaps;

	private volatile boolean inDoubt;

	ClientSession(int writers) {
		for (int i = 0; i <= writers; i++) {
			this.registers.add(new Register("counter" + i));
		}
	}

	/**
	 * The attribute of a writer.
	 */
	Register register(int writer) {
		return this.registers.get(writer);
	}

	/**
	 * The attribute that is written only to find out whether the session lives.
	 */
	Register probe() {
		return this.registers.get(this.registers.size() - 1);
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

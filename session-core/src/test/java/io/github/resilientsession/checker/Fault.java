package io.github.resilientsession.checker;

import java.util.concurrent.CountDownLatch;

/**
 * Something that goes wrong until it is healed.
 */
interface Fault {

	/**
	 * Let it go wrong. May go on until the fault is to be healed, and no longer.
	 * @param over is counted down when the fault is to be healed
	 */
	void inject(CountDownLatch over) throws Exception;

	/**
	 * Put right whatever was done; called also if injecting it failed.
	 */
	void heal() throws Exception;

}

package io.github.resilientsession.sample.control;

/**
 * What can be done to the stores.
 */
enum Fault {

	/**
	 * All keys are deleted.
	 */
	FLUSH("Flush Redis", "FLUSHALL: all keys are gone, the server stays"),

	/**
	 * {@code kill -9}.
	 */
	KILL("Kill Redis", "kill -9, as the kernel does for memory"),

	/**
	 * Stopped in its tracks.
	 */
	PAUSE("Pause Redis", "it is there, and does not answer"),

	/**
	 * Up again, without data.
	 */
	RESTART_EMPTY("Restart Redis empty", "as a pod without a volume comes back"),

	/**
	 * Up again, with the data of a snapshot.
	 */
	RESTART_OLD("Restart with old snapshot", "what was ended since is there again"),

	/**
	 * Another application's data takes all its memory.
	 */
	FILL("Fill the memory", "other data takes all of it; Redis refuses writes"),

	/**
	 * The eviction policy of a cache, and too little memory.
	 */
	EVICT("Evict sessions", "allkeys-lru and less memory than is used: sessions are evicted"),

	/**
	 * The database's processes are killed.
	 */
	STOP_DATABASE("Stop the database", "PostgreSQL is killed"),

	/**
	 * All is as at the beginning.
	 */
	MEND("Mend everything", "both servers run, with room and without eviction");

	private final String label;

	private final String what;

	Fault(String label, String what) {
		this.label = label;
		this.what = what;
	}

	public String getLabel() {
		return this.label;
	}

	public String getWhat() {
		return this.what;
	}

}

package io.github.resilientsession.flow;

/**
 * What a request may wait for.
 */
enum StoreCall {

	FIND("redis", "find"), TELL("redis", "write"), TOUCH("redis", "touch"), LOAD("durable", "load"),
	COMMIT("durable", "commit"), END("durable", "end");

	private final String tier;

	private final String operation;

	StoreCall(String tier, String operation) {
		this.tier = tier;
		this.operation = operation;
	}

	String tier() {
		return this.tier;
	}

	String operation() {
		return this.operation;
	}

}

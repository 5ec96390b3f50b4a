package io.github.resilientsession.sample;

/**
 * A request that asks for something the shop can't do; the message is meant for whoever
 * sent it.
 */
class InvalidInputException extends RuntimeException {

	InvalidInputException(String message) {
		super(message);
	}

}

package io.github.resilientsession.testsupport;

/**
 * A fault that lasts until it is closed.
 */
public interface Fault extends AutoCloseable {

	@Override
	void close();

}

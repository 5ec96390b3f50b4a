package io.github.resilientsession;

/**
 * What reading an attribute does whose bytes do not give a value any more, for example
 * after its class was changed.
 */
public enum UnreadableAttributePolicy {

	/**
	 * The attribute reads as absent; its bytes stay in the stores until the attribute is
	 * set again, so that rolling back the application brings it back.
	 */
	QUARANTINE,

	/**
	 * The read throws.
	 */
	FAIL

}

package io.github.resilientsession.doctor;

/**
 * How bad a finding is.
 */
public enum Severity {

	/**
	 * Good to know: something could not be seen, or has not been tried.
	 */
	NOTICE,

	/**
	 * It will go wrong under circumstances that are to be expected.
	 */
	WARNING,

	/**
	 * Redis loses sessions or refuses writes, now or very soon.
	 */
	CRITICAL

}

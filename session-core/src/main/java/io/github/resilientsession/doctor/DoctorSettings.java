package io.github.resilientsession.doctor;

import java.time.Duration;

import org.jspecify.annotations.Nullable;

/**
 * From where on the doctor calls something a finding.
 *
 * @param enabled whether it looks at all
 * @param interval how often it looks
 * @param onCritical what a critical finding does to an application that starts
 * @param memoryLimit the memory of the machine or container in bytes, where Redis sees
 * another: in a container it sees the machine's; {@code null} for what Redis sees
 * @param memoryWarning the part of its memory, from 0 to 1, that Redis may use without a
 * warning
 * @param memoryCritical the part from which on it is critical; not less than the former
 * @param maxFragmentation how many times as much memory Redis may have from the system as
 * it uses
 * @param maxReplicaLag how far behind a replica may be
 * @param fullWithin how far ahead a Redis that will be full is worth a warning
 * @param slowScript how long a script may take
 */
public record DoctorSettings(boolean enabled, Duration interval, OnCritical onCritical, @Nullable Long memoryLimit,
		double memoryWarning, double memoryCritical, double maxFragmentation, Duration maxReplicaLag,
		Duration fullWithin, Duration slowScript) {

	/**
	 * What is right for most.
	 */
	public static final DoctorSettings DEFAULTS = new DoctorSettings(true, Duration.ofSeconds(10), OnCritical.WARN,
			null, 0.8, 0.95, 1.5, Duration.ofSeconds(60), Duration.ofHours(2), Duration.ofMillis(50));

	/**
	 * What a critical finding does to an application that starts.
	 */
	public enum OnCritical {

		/**
		 * It is logged.
		 */
		WARN,

		/**
		 * The application does not start. A Redis that does not answer is no finding.
		 */
		FAIL

	}

}

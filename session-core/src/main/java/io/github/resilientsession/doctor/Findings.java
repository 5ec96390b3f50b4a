package io.github.resilientsession.doctor;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;

/**
 * The findings of one examination, the worst of each check.
 */
final class Findings {

	private final Map<Check, Finding> byCheck = new EnumMap<>(Check.class);

	void add(Check check, Severity severity, String what, String why, String fix) {
		add(new Finding(check, severity, what, why, fix));
	}

	void add(Finding finding) {
		this.byCheck.merge(finding.check(), finding,
				(one, other) -> (other.severity().compareTo(one.severity()) > 0) ? other : one);
	}

	/**
	 * All of them, the worst first.
	 */
	List<Finding> all() {
		List<Finding> all = new ArrayList<>(this.byCheck.values());
		all.sort(Comparator.comparing(Finding::severity).reversed());
		return List.copyOf(all);
	}

	static String megabytes(double bytes) {
		return Math.round(bytes / (1 << 20)) + " MB";
	}

	static String percent(double part) {
		return Math.round(100 * part) + " %";
	}

}

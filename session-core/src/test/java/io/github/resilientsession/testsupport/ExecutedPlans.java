package io.github.resilientsession.testsupport;

import java.util.ArrayList;
import java.util.List;

/**
 * The plans by which a PostgreSQL has executed statements since this was made, from the
 * server's own log.
 */
public final class ExecutedPlans {

	private static final String START = " plan:";

	private final PostgresServer server;

	private final int before;

	ExecutedPlans(PostgresServer server) {
		this.server = server;
		this.before = server.log().length();
	}

	/**
	 * The plans so far.
	 * @param part what the text of a statement or its plan contains
	 * @return each with the text of its statement before it
	 */
	public List<String> of(String part) {
		List<String> plans = new ArrayList<>();
		StringBuilder plan = null;
		for (String line : this.server.log().substring(this.before).lines().toList()) {
			if (line.startsWith("\t") && plan != null) {
				plan.append(line).append('\n');
				continue;
			}
			add(plan, part, plans);
			plan = line.endsWith(START) ? new StringBuilder() : null;
		}
		add(plan, part, plans);
		return plans;
	}

	private static void add(StringBuilder plan, String part, List<String> plans) {
		if (plan != null && plan.indexOf(part) >= 0) {
			plans.add(plan.toString());
		}
	}

}

package io.github.resilientsession.actuate;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

import io.github.resilientsession.ResilientSessions;
import io.github.resilientsession.doctor.Finding;
import io.github.resilientsession.doctor.Report;
import io.github.resilientsession.doctor.Severity;

import org.springframework.boot.health.contributor.CompositeHealthContributor;
import org.springframework.boot.health.contributor.Health;
import org.springframework.boot.health.contributor.HealthIndicator;
import org.springframework.boot.health.contributor.Status;

/**
 * The health of the session stores, a component for each. Asks no store: it says what
 * this node knows, at once also while a store hangs.
 * <p>
 * It is {@link #DEGRADED} at worst, never down: the stores are shared, and taking all
 * nodes out because of one of them helps nobody.
 */
public final class SessionStoresHealth {

	/**
	 * Sessions are served, though something is wrong that should be looked at.
	 */
	public static final Status DEGRADED = new Status("DEGRADED", "Sessions are served, but with fewer safeguards");

	private SessionStoresHealth() {
	}

	/**
	 * The contributor.
	 * @param sessions the stores
	 * @return a composite of {@code redis} and {@code durable}
	 */
	public static CompositeHealthContributor contributor(ResilientSessions sessions) {
		Map<String, HealthIndicator> tiers = new LinkedHashMap<>();
		tiers.put("redis", () -> redis(sessions));
		tiers.put("durable", () -> durable(sessions));
		return CompositeHealthContributor.fromMap(tiers);
	}

	private static Health redis(ResilientSessions sessions) {
		TierState tier = TierState.redis(sessions);
		Report report = sessions.doctorReport();
		boolean well = tier.isUp() && report.critical().isEmpty();
		Health.Builder health = status(well, tier).withDetail("pending", sessions.pendingWrites())
			.withDetail("resync", sessions.resyncProgress());
		List<String> findings = report.findings()
			.stream()
			.filter((finding) -> finding.severity() != Severity.NOTICE)
			.map(SessionStoresHealth::text)
			.toList();
		if (!findings.isEmpty()) {
			health.withDetail("findings", findings).withDetail("examined", report.at());
		}
		return health.build();
	}

	private static String text(Finding finding) {
		return finding.severity() + " " + finding.check().id() + ": " + finding.what();
	}

	private static Health durable(ResilientSessions sessions) {
		TierState tier = TierState.durable(sessions);
		return status(tier.isUp(), tier).withDetail("unpersisted", sessions.unpersisted().size()).build();
	}

	private static Health.Builder status(boolean well, TierState tier) {
		return Health.status(well ? Status.UP : DEGRADED)
			.withDetail("state", tier.state())
			.withDetail("breaker", tier.breaker())
			.withDetail("since", tier.since());
	}

}

package io.github.resilientsession.actuate;

import java.time.Instant;
import java.util.List;

import io.github.resilientsession.ResilientSessions;
import io.github.resilientsession.doctor.Check;
import io.github.resilientsession.doctor.Finding;
import io.github.resilientsession.doctor.Report;
import io.github.resilientsession.doctor.Severity;
import io.github.resilientsession.reconcile.Resync;
import io.github.resilientsession.reconcile.TtlAudit;
import org.jspecify.annotations.Nullable;

import org.springframework.boot.actuate.endpoint.InvalidEndpointRequestException;
import org.springframework.boot.actuate.endpoint.annotation.Endpoint;
import org.springframework.boot.actuate.endpoint.annotation.ReadOperation;
import org.springframework.boot.actuate.endpoint.annotation.Selector;
import org.springframework.boot.actuate.endpoint.annotation.WriteOperation;

/**
 * The endpoint {@code resilientsession}: what the session stores do, what the doctor has
 * found, and a way to start an audit or a resync. Shows no session id and no attribute.
 */
@Endpoint(id = "resilientsession")
public final class ResilientSessionEndpoint {

	private final ResilientSessions sessions;

	/**
	 * Create an endpoint.
	 * @param sessions the stores
	 */
	public ResilientSessionEndpoint(ResilientSessions sessions) {
		this.sessions = sessions;
	}

	/**
	 * What this node knows; asks no store.
	 * @return the description
	 */
	@ReadOperation
	public Description describe() {
		return new Description(TierState.redis(this.sessions), TierState.durable(this.sessions),
				new Counts(this.sessions.pendingWrites(), this.sessions.unpersisted().size(),
						this.sessions.touchesWaiting(), this.sessions.loader().waiting()),
				this.sessions.resyncProgress(), this.sessions.ttlAuditProgress(),
				Doctor.of(this.sessions.doctorReport()));
	}

	/**
	 * Start something that is else done by itself. It begins soon, while both stores are
	 * there; its progress is in the description.
	 * @param operation what to start
	 * @param dryRun whether an audit only counts; {@code null} for no
	 * @return what was asked for
	 * @throws InvalidEndpointRequestException if it cannot be had as the application is
	 * configured
	 */
	@WriteOperation
	public Started start(@Selector Operation operation, @Nullable Boolean dryRun) {
		switch (operation) {
			case AUDIT -> this.sessions.requestTtlAudit(Boolean.TRUE.equals(dryRun));
			case RESYNC -> resync();
		}
		return new Started(operation);
	}

	private void resync() {
		try {
			this.sessions.requestResync();
		}
		catch (IllegalStateException ex) {
			throw new InvalidEndpointRequestException(String.valueOf(ex.getMessage()), String.valueOf(ex.getMessage()),
					ex);
		}
	}

	/**
	 * What can be started.
	 */
	public enum Operation {

		/**
		 * The search for sessions in Redis that have no TTL.
		 */
		AUDIT,

		/**
		 * The comparison of Redis with the database, and putting back what is missing.
		 */
		RESYNC

	}

	/**
	 * What has been started.
	 *
	 * @param requested which operation
	 */
	public record Started(Operation requested) {

	}

	/**
	 * All that the endpoint shows.
	 *
	 * @param redis the Redis tier
	 * @param durable the durable tier
	 * @param counts what waits
	 * @param resync the resync that this node does, or has done last
	 * @param ttlAudit the audit that this node does, or has done last
	 * @param doctor what was found in Redis
	 */
	public record Description(TierState redis, TierState durable, Counts counts, Resync.Progress resync,
			TtlAudit.Progress ttlAudit, Doctor doctor) {

	}

	/**
	 * What waits.
	 *
	 * @param pending committed writes that Redis has missed, in the whole cluster
	 * @param unpersisted sessions of this node whose writes only Redis has
	 * @param touchesBuffered last accesses of this node that the database does not know
	 * yet
	 * @param loadsQueued sessions that wait to be loaded by this node
	 */
	public record Counts(long pending, int unpersisted, int touchesBuffered, int loadsQueued) {

	}

	/**
	 * What was found in Redis.
	 *
	 * @param examined when; {@code null} if it has not been, so that nothing is known
	 * @param findings what was found, the worst first
	 */
	public record Doctor(@Nullable Instant examined, List<Found> findings) {

		static Doctor of(Report report) {
			return new Doctor(report.at().equals(Instant.EPOCH) ? null : report.at(),
					report.findings().stream().map(Found::of).toList());
		}

	}

	/**
	 * A finding.
	 *
	 * @param check its name
	 * @param severity how bad it is
	 * @param what what was found
	 * @param why why it matters to sessions
	 * @param fix what mends it
	 */
	public record Found(String check, Severity severity, String what, String why, String fix) {

		static Found of(Finding finding) {
			Check check = finding.check();
			return new Found(check.id(), finding.severity(), finding.what(), finding.why(), finding.fix());
		}

	}

}

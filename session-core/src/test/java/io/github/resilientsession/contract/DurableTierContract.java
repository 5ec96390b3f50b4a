package io.github.resilientsession.contract;

import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.List;

import javax.sql.DataSource;

import io.github.resilientsession.durable.DurableSettings;
import io.github.resilientsession.durable.DurableTier;
import io.github.resilientsession.durable.Platform;
import io.github.resilientsession.durable.Touch;
import io.github.resilientsession.record.Lookup;
import io.github.resilientsession.record.SessionChange;
import io.github.resilientsession.record.SessionRecord;
import io.github.resilientsession.record.SessionStoreListener;
import org.junit.jupiter.api.AfterEach;

/**
 * The tier's contract, for the durable tier on any database.
 */
abstract class DurableTierContract extends TierContractTests {

	private final DurableTier durable;

	DurableTierContract(DataSource dataSource, Platform platform) {
		this.durable = new DurableTier(dataSource,
				new DurableSettings(Duration.ofSeconds(5), Duration.ofSeconds(30), platform), Clock.systemUTC(),
				SessionStoreListener.NO_OP);
		this.durable.initializeSchema();
	}

	@AfterEach
	void close() {
		this.durable.close();
	}

	@Override
	protected Tier tier() {
		return new Tier() {

			@Override
			public Lookup find(String id) {
				return DurableTierContract.this.durable.load(List.of(id)).get(id);
			}

			@Override
			public boolean put(SessionRecord session) {
				return DurableTierContract.this.durable.insert(session, false, null);
			}

			@Override
			public boolean change(SessionRecord base, SessionChange change) {
				SessionRecord next = change.applyTo(base);
				return DurableTierContract.this.durable.update(next, base.version(), change.principal(), false, null)
					.isPresent();
			}

			@Override
			public void end(SessionRecord session) {
				DurableTierContract.this.durable.end(session.id(), false, Duration.ofMinutes(30));
			}

			@Override
			public void touch(SessionRecord session, Instant lastAccessedTime) {
				DurableTierContract.this.durable.touch(List.of(new Touch(session.id(), lastAccessedTime)));
			}

		};
	}

}

package io.github.resilientsession.contract;

import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Map;
import java.util.Set;
import java.util.UUID;

import io.github.resilientsession.record.Lookup;
import io.github.resilientsession.record.SessionChange;
import io.github.resilientsession.record.SessionRecord;
import org.junit.jupiter.api.Test;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * What every tier that holds sessions must do, whatever it is made of: keep what it is
 * given to the byte, change only the version that the change was made for, and let
 * nothing come back that was ended.
 */
public abstract class TierContractTests {

	private final Instant now = Instant.now().truncatedTo(ChronoUnit.MILLIS);

	/**
	 * The tier under test.
	 * @return the tier, the same for a whole test
	 */
	protected abstract Tier tier();

	@Test
	void find_ofWhatWasPut_isEqualToTheByte() {
		SessionRecord session = session(Map.of("a", bytes(1, 0, -1), "ключ \u0000", new byte[100_000]));
		assertThat(tier().put(session)).isTrue();
		assertSame(found(session.id()), session);
	}

	@Test
	void find_ofAnUnknownId_isAMiss() {
		assertThat(tier().find(UUID.randomUUID().toString())).isInstanceOf(Lookup.Miss.class);
	}

	@Test
	void put_whereThereIsOne_isRefused() {
		SessionRecord session = session(Map.of("a", bytes(1)));
		tier().put(session);
		assertThat(tier().put(new SessionRecord(session.id(), 1, this.now, this.now, Duration.ofMinutes(1), null,
				Map.of("a", bytes(2)))))
			.isFalse();
		assertSame(found(session.id()), session);
	}

	@Test
	void change_ofTheExpectedVersion_setsAndRemovesAttributes() {
		SessionRecord session = session(Map.of("a", bytes(1), "b", bytes(1)));
		tier().put(session);
		SessionChange change = new SessionChange(session.id(), this.now.plusMillis(5), Duration.ofMinutes(7),
				Map.of("a", bytes(2), "c", bytes(3)), Set.of("b"), null);
		SessionRecord next = change.applyTo(session);
		assertThat(tier().change(session, change)).isTrue();
		assertSame(found(session.id()), next);
	}

	@Test
	void change_ofAnotherVersion_isRefused_andChangesNothing() {
		SessionRecord first = session(Map.of("a", bytes(1)));
		tier().put(first);
		SessionRecord second = setA(first, 2).applyTo(first);
		assertThat(tier().change(first, setA(first, 2))).isTrue();
		assertThat(tier().change(first, setA(first, 3))).isFalse();
		assertThat(tier().change(first.withVersion(7), setA(first, 4))).isFalse();
		assertSame(found(first.id()), second);
	}

	@Test
	void ended_staysEnded() {
		SessionRecord session = session(Map.of("a", bytes(1)));
		tier().put(session);
		tier().end(session);
		assertThat(tier().find(session.id())).isInstanceOf(Lookup.Ended.class);
		SessionChange change = setA(session, 2);
		assertThat(tier().change(session, change)).isFalse();
		assertThat(tier().put(session)).isFalse();
		tier().touch(session, this.now.plusSeconds(1));
		assertThat(tier().find(session.id())).isInstanceOf(Lookup.Ended.class);
	}

	@Test
	void touch_movesTheLastAccessForwardOnly() {
		SessionRecord session = session(Map.of("a", bytes(1)));
		tier().put(session);
		tier().touch(session, this.now.minusSeconds(10));
		assertThat(found(session.id()).lastAccessedTime()).isEqualTo(this.now.minusSeconds(10));
		tier().touch(session, this.now.minusSeconds(50));
		assertThat(found(session.id()).lastAccessedTime()).isEqualTo(this.now.minusSeconds(10));
		assertThat(found(session.id()).version()).isEqualTo(session.version());
	}

	private SessionRecord session(Map<String, byte[]> attributes) {
		// Some time ago, so that a touch can lie between then and now.
		return new SessionRecord(UUID.randomUUID().toString(), 1, this.now.minusSeconds(200),
				this.now.minusSeconds(100), Duration.ofMinutes(30), null, attributes);
	}

	private SessionChange setA(SessionRecord session, int value) {
		return new SessionChange(session.id(), this.now, null, Map.of("a", bytes(value)), Set.of(), null);
	}

	private SessionRecord found(String id) {
		Lookup lookup = tier().find(id);
		assertThat(lookup).isInstanceOf(Lookup.Hit.class);
		return ((Lookup.Hit) lookup).session();
	}

	private static void assertSame(SessionRecord actual, SessionRecord expected) {
		assertThat(actual).usingRecursiveComparison().isEqualTo(expected);
	}

	private static byte[] bytes(int... values) {
		byte[] bytes = new byte[values.length];
		for (int i = 0; i < values.length; i++) {
			bytes[i] = (byte) values[i];
		}
		return bytes;
	}

	/**
	 * A tier, reduced to what all of them do.
	 */
	public interface Tier {

		Lookup find(String id);

		boolean put(SessionRecord session);

		boolean change(SessionRecord base, SessionChange change);

		void end(SessionRecord session);

		void touch(SessionRecord session, Instant lastAccessedTime);

	}

}

package io.github.resilientsession.checker;

import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;

import org.junit.jupiter.api.Test;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * A schedule can be had again, and leaves nothing out.
 */
class ScheduleTests {

	@Test
	void sameSeed_givesTheSameSchedule() {
		assertThat(incidents(42)).isEqualTo(incidents(42)).isNotEqualTo(incidents(43));
	}

	@Test
	void everyKindOfFault_comesWithinOneDealAndAHalf() {
		Set<FaultKind> seen = EnumSet.noneOf(FaultKind.class);
		incidents(7).stream().limit(20).forEach((incident) -> {
			seen.add(incident.first());
			seen.add(incident.second());
		});
		assertThat(seen).containsExactlyInAnyOrder(FaultKind.values());
	}

	@Test
	void twoFaultsOfAnIncident_canMeetAndStrikeDifferentNodes() {
		assertThat(incidents(11)).allMatch((incident) -> incident.first().canMeet(incident.second()))
			.allMatch((incident) -> incident.firstNode() != incident.secondNode())
			.allMatch((incident) -> incident.secondAfter().compareTo(incident.duration()) < 0);
	}

	@Test
	void faultsThatCancelEachOtherOut_neverMeet() {
		assertThat(FaultKind.REDIS_OUT_OF_MEMORY.canMeet(FaultKind.REDIS_EVICTING)).isFalse();
		assertThat(FaultKind.REDIS_EVICTING.canMeet(FaultKind.REDIS_OUT_OF_MEMORY)).isFalse();
		assertThat(FaultKind.REDIS_READ_ONLY.canMeet(FaultKind.REDIS_FLUSHED)).isFalse();
		assertThat(FaultKind.REDIS_FLUSHED.canMeet(FaultKind.REDIS_READ_ONLY)).isFalse();
		assertThat(FaultKind.REDIS_READ_ONLY.canMeet(FaultKind.DATABASE_KILLED)).isTrue();
	}

	private static List<Incident> incidents(long seed) {
		Schedule schedule = new Schedule(seed, 3);
		return Stream.generate(schedule::next).limit(200).toList();
	}

}

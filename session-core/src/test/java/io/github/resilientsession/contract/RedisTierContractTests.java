package io.github.resilientsession.contract;

import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.Map;
import java.util.Set;

import io.github.resilientsession.codec.AttributeCodec;
import io.github.resilientsession.record.ClusterClock;
import io.github.resilientsession.record.Lookup;
import io.github.resilientsession.record.SessionChange;
import io.github.resilientsession.record.SessionRecord;
import io.github.resilientsession.record.SessionStoreListener;
import io.github.resilientsession.record.TtlPolicy;
import io.github.resilientsession.redis.CopyOutcome.Status;
import io.github.resilientsession.redis.RedisConnections;
import io.github.resilientsession.redis.RedisSettings;
import io.github.resilientsession.redis.RedisTier;
import io.github.resilientsession.testsupport.RealServers;
import io.github.resilientsession.testsupport.RedisServer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

import org.springframework.data.redis.connection.lettuce.LettuceConnectionFactory;
import org.springframework.data.redis.serializer.RedisSerializer;

import static org.assertj.core.api.Assertions.assertThat;

@RealServers
class RedisTierContractTests extends TierContractTests {

	private static final Duration LIMIT = Duration.ofSeconds(5);

	private static final Instant NOW = Instant.now().truncatedTo(ChronoUnit.MILLIS);

	private final RedisServer server;

	private final RedisTier redis;

	RedisTierContractTests(RedisServer server) {
		this.server = server;
		LettuceConnectionFactory application = new LettuceConnectionFactory(server.host(), server.port());
		this.redis = new RedisTier(RedisConnections.derive(application, LIMIT),
				new AttributeCodec(RedisSerializer.java()),
				new TtlPolicy(Duration.ofSeconds(1), Duration.ofDays(1), TtlPolicy.OnViolation.CLAMP),
				new RedisSettings("spring:session", LIMIT), new ClusterClock(Clock.systemUTC()),
				SessionStoreListener.NO_OP);
		this.redis.probe();
	}

	@AfterEach
	void close() {
		this.redis.close();
	}

	@Test
	void putAllOverOlder_putsWhatRedisDoesNotHave_orHasOlder_andKeepsTheLaterLastAccess() {
		SessionRecord missing = session("missing", 2, NOW);
		SessionRecord touched = session("touched", 2, NOW);
		SessionRecord idle = session("idle", 2, NOW);
		this.redis.putIfAbsent(session("touched", 1, NOW.plusSeconds(5)));
		this.redis.putIfAbsent(session("idle", 1, NOW.minusSeconds(5)));
		assertThat(this.redis.putAllOverOlder(List.of(missing, touched, idle))).containsExactlyInAnyOrder("missing",
				"touched", "idle");
		for (SessionRecord session : List.of(missing, touched, idle)) {
			assertThat(found(session.id()).version()).isEqualTo(2);
			assertThat(found(session.id()).attributes().get("a")).containsExactly(2);
		}
		assertThat(found("touched").lastAccessedTime()).isEqualTo(NOW.plusSeconds(5));
		assertThat(found("idle").lastAccessedTime()).isEqualTo(NOW);
	}

	@Test
	void putAllOverOlder_leavesNewerCopiesAndTombstones_asTheyAre() {
		this.redis.putIfAbsent(session("newer", 3, NOW));
		this.redis.putIfAbsent(session("same", 2, NOW));
		this.redis.end("ended", 5);
		assertThat(this.redis
			.putAllOverOlder(List.of(session("newer", 2, NOW), session("same", 2, NOW), session("ended", 2, NOW))))
			.containsExactlyInAnyOrder("newer", "same", "ended");
		assertThat(found("newer").version()).isEqualTo(3);
		assertThat(this.redis.find("ended")).isInstanceOf(Lookup.Ended.class);
	}

	@Test
	void putAllOverOlder_doesNotReplaceWhatOnlyRedisHas_norWhatItDoesNotKnow() {
		SessionRecord base = session("unpersisted", 1, NOW);
		this.redis.putIfAbsent(base);
		SessionChange change = new SessionChange("unpersisted", NOW, null, Map.of("b", new byte[] { 7 }), Set.of(),
				null);
		assertThat(this.redis.apply(base, base.withUnpersisted(change, "token"), change).status())
			.isEqualTo(Status.DONE);
		this.server.call((commands) -> commands.setex("spring:session:sessions:foreign", 100, "foreign"));
		this.server.call((commands) -> commands.hset("spring:session:sessions:plain", "creationTime", "?"));
		this.server.call((commands) -> commands.expire("spring:session:sessions:plain", 100));
		assertThat(this.redis.putAllOverOlder(List.of(session("unpersisted", 2, NOW), session("foreign", 2, NOW),
				session("plain", 2, NOW), session("other", 2, NOW))))
			.containsExactly("other");
		assertThat(found("unpersisted").attributes()).containsKey("b");
	}

	private static SessionRecord session(String id, long version, Instant access) {
		return new SessionRecord(id, version, NOW.minusSeconds(60), access, Duration.ofHours(8), null,
				Map.of("a", new byte[] { (byte) version }));
	}

	private SessionRecord found(String id) {
		return ((Lookup.Hit) this.redis.find(id)).session();
	}

	@Override
	protected Tier tier() {
		return new Tier() {

			@Override
			public Lookup find(String id) {
				return RedisTierContractTests.this.redis.find(id);
			}

			@Override
			public boolean put(SessionRecord session) {
				return RedisTierContractTests.this.redis.putIfAbsent(session).status() == Status.DONE;
			}

			@Override
			public boolean change(SessionRecord base, SessionChange change) {
				return RedisTierContractTests.this.redis.apply(base, change.applyTo(base), change)
					.status() == Status.DONE;
			}

			@Override
			public void end(SessionRecord session) {
				RedisTierContractTests.this.redis.end(session.id(), session.version() + 1);
			}

			@Override
			public void touch(SessionRecord session, Instant lastAccessedTime) {
				RedisTierContractTests.this.redis.touch(session, lastAccessedTime);
			}

		};
	}

}

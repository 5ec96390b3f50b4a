package io.github.resilientsession.contract;

import java.time.Clock;
import java.time.Duration;
import java.time.Instant;

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

import org.springframework.data.redis.connection.lettuce.LettuceConnectionFactory;
import org.springframework.data.redis.serializer.RedisSerializer;

@RealServers
class RedisTierContractTests extends TierContractTests {

	private static final Duration LIMIT = Duration.ofSeconds(5);

	private final RedisTier redis;

	RedisTierContractTests(RedisServer server) {
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

package io.github.resilientsession.doctor;

import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.time.ZoneOffset;

import io.github.resilientsession.codec.AttributeCodec;
import io.github.resilientsession.record.ClusterClock;
import io.github.resilientsession.record.SessionStoreListener;
import io.github.resilientsession.record.TtlPolicy;
import io.github.resilientsession.redis.RedisConnections;
import io.github.resilientsession.redis.RedisSettings;
import io.github.resilientsession.redis.RedisTier;
import io.github.resilientsession.testsupport.RedisServer;

import org.springframework.data.redis.connection.lettuce.LettuceConnectionFactory;
import org.springframework.data.redis.serializer.RedisSerializer;

/**
 * A Redis, and a doctor who looks at it; the doctor's time passes as the test says.
 */
final class Patient implements AutoCloseable {

	static final DoctorSettings SETTINGS = DoctorSettings.DEFAULTS;

	private static final Duration LIMIT = Duration.ofSeconds(5);

	final RedisServer server;

	private final RedisTier tier;

	private final RedisDoctor doctor;

	private final MovingClock clock = new MovingClock();

	Patient(RedisServer server, DoctorSettings settings) {
		this.server = server;
		this.tier = new RedisTier(
				RedisConnections.derive(new LettuceConnectionFactory(server.host(), server.port()), LIMIT),
				new AttributeCodec(RedisSerializer.java()),
				new TtlPolicy(Duration.ofSeconds(1), Duration.ofDays(30), TtlPolicy.OnViolation.CLAMP),
				new RedisSettings("spring:session", LIMIT), new ClusterClock(Clock.systemUTC()),
				SessionStoreListener.NO_OP);
		this.tier.probe();
		this.doctor = new RedisDoctor(this.tier.diagnostics(), settings, () -> false, this.clock);
	}

	Report examine() {
		return this.doctor.examine();
	}

	/**
	 * Examine it again after some time.
	 */
	Report examineAfter(Duration duration) {
		this.clock.now = this.clock.now.plus(duration);
		return examine();
	}

	@Override
	public void close() {
		this.tier.close();
	}

	/**
	 * A clock that stands still between two looks.
	 */
	private static final class MovingClock extends Clock {

		private Instant now = Instant.now();

		@Override
		public ZoneId getZone() {
			return ZoneOffset.UTC;
		}

		@Override
		public Clock withZone(ZoneId zone) {
			return this;
		}

		@Override
		public Instant instant() {
			return this.now;
		}

	}

}

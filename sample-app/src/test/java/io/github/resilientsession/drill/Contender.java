package io.github.resilientsession.drill;

import java.time.Duration;

import io.github.resilientsession.benchmark.Peers;
import io.github.resilientsession.doctor.DoctorSettings;
import io.github.resilientsession.reconcile.TtlAuditSettings;
import io.github.resilientsession.testsupport.PostgresServer;
import io.github.resilientsession.testsupport.RedisServer;

/**
 * Those to whom the incidents happen, each as its users have it by default.
 */
enum Contender {

	/**
	 * Spring Session with Redis.
	 */
	PLAIN {

		@Override
		Side enter(RedisServer redis, PostgresServer postgres) {
			return Side.of(new Peers(redis, postgres).plain());
		}

	},

	/**
	 * What people write by hand: a query for each miss.
	 */
	CACHE_ASIDE {

		@Override
		Side enter(RedisServer redis, PostgresServer postgres) {
			return Side.of(new Peers(redis, postgres).cacheAside());
		}

	},

	/**
	 * This library. Its doctor looks more often.
	 */
	RESILIENT {

		@Override
		Side enter(RedisServer redis, PostgresServer postgres) {
			return Side.of(new Peers(redis, postgres)
				.resilient((options) -> options.asByDefault().doctor(OFTEN).ttlAudit(TtlAuditSettings.DEFAULTS)));
		}

	};

	/**
	 * A drill is over in minutes.
	 */
	static final Duration DOCTOR_INTERVAL = Duration.ofMillis(250);

	private static final DoctorSettings OFTEN = often(DoctorSettings.DEFAULTS);

	private static DoctorSettings often(DoctorSettings settings) {
		return new DoctorSettings(true, DOCTOR_INTERVAL, settings.onCritical(), settings.memoryLimit(),
				settings.memoryWarning(), settings.memoryCritical(), settings.maxFragmentation(),
				settings.maxReplicaLag(), settings.fullWithin(), settings.slowScript());
	}

	/**
	 * Set it up.
	 */
	abstract Side enter(RedisServer redis, PostgresServer postgres);

}

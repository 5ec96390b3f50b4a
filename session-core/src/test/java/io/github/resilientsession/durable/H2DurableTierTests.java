package io.github.resilientsession.durable;

import java.util.UUID;

import com.zaxxer.hikari.HikariDataSource;

class H2DurableTierTests extends DurableTierTests {

	H2DurableTierTests() {
		super(pool(), Platform.H2);
	}

	private static HikariDataSource pool() {
		HikariDataSource pool = new HikariDataSource();
		pool.setJdbcUrl("jdbc:h2:mem:" + UUID.randomUUID() + ";DB_CLOSE_DELAY=-1");
		pool.setMaximumPoolSize(6);
		return pool;
	}

}

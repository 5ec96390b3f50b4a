package io.github.resilientsession.contract;

import java.util.UUID;

import io.github.resilientsession.durable.Platform;
import org.h2.jdbcx.JdbcDataSource;

class H2TierContractTests extends DurableTierContract {

	H2TierContractTests() {
		super(dataSource(), Platform.H2);
	}

	private static JdbcDataSource dataSource() {
		JdbcDataSource dataSource = new JdbcDataSource();
		dataSource.setURL("jdbc:h2:mem:" + UUID.randomUUID() + ";DB_CLOSE_DELAY=-1");
		return dataSource;
	}

}

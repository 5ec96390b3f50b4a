package io.github.resilientsession.contract;

import io.github.resilientsession.durable.Platform;
import io.github.resilientsession.testsupport.PostgresServer;
import io.github.resilientsession.testsupport.RealServers;
import org.postgresql.ds.PGSimpleDataSource;

@RealServers
class PostgresTierContractTests extends DurableTierContract {

	PostgresTierContractTests(PostgresServer server) {
		super(dataSource(server), Platform.POSTGRESQL);
	}

	private static PGSimpleDataSource dataSource(PostgresServer server) {
		PGSimpleDataSource dataSource = new PGSimpleDataSource();
		dataSource.setUrl(server.createDatabase());
		dataSource.setUser(server.username());
		dataSource.setPassword(server.password());
		return dataSource;
	}

}

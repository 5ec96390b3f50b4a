package io.github.resilientsession.sample;

import java.util.List;
import java.util.UUID;

class H2SurvivalTests extends SurvivalTests {

	@Override
	protected List<String> databaseArguments() {
		return List.of("--spring.datasource.url=jdbc:h2:mem:" + UUID.randomUUID() + ";DB_CLOSE_DELAY=-1");
	}

}

package io.github.resilientsession.autoconfigure;

import java.util.function.Supplier;

import javax.sql.DataSource;

import com.zaxxer.hikari.HikariDataSource;
import io.github.resilientsession.ResilientSession;
import io.github.resilientsession.ResilientSessionRepository;
import io.github.resilientsession.testsupport.PostgresServer;
import io.github.resilientsession.testsupport.RealServers;
import io.github.resilientsession.testsupport.RedisServer;
import jakarta.persistence.EntityManagerFactory;
import org.junit.jupiter.api.Test;

import org.springframework.boot.autoconfigure.AutoConfigurationPackage;
import org.springframework.boot.autoconfigure.AutoConfigurations;
import org.springframework.boot.data.jpa.autoconfigure.DataJpaRepositoriesAutoConfiguration;
import org.springframework.boot.data.redis.autoconfigure.DataRedisAutoConfiguration;
import org.springframework.boot.hibernate.autoconfigure.HibernateJpaAutoConfiguration;
import org.springframework.boot.session.autoconfigure.SessionAutoConfiguration;
import org.springframework.boot.test.context.assertj.AssertableWebApplicationContext;
import org.springframework.boot.test.context.runner.WebApplicationContextRunner;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.data.redis.connection.RedisConnectionFactory;
import org.springframework.jdbc.core.JdbcTemplate;
import org.springframework.jdbc.datasource.DriverManagerDataSource;
import org.springframework.orm.jpa.JpaTransactionManager;
import org.springframework.transaction.PlatformTransactionManager;
import org.springframework.transaction.support.TransactionTemplate;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Tests for what the starter leaves alone: the application's persistence and its
 * transactions.
 */
@RealServers
class IsolationTests {

	private final PostgresServer postgres;

	private final WebApplicationContextRunner runner;

	IsolationTests(RedisServer redis, PostgresServer postgres) {
		this.postgres = postgres;
		this.runner = StarterRunner.withRedis(redis);
	}

	@Test
	void application_withJpa_keepsItsOwnRepositoriesAndBeans() {
		jpa().run((context) -> {
			assertThat(context).hasSingleBean(EntityManagerFactory.class)
				.hasSingleBean(DataSource.class)
				.hasSingleBean(RedisConnectionFactory.class)
				.getBean(PlatformTransactionManager.class)
				.isInstanceOf(JpaTransactionManager.class);
			assertThat(context.getBean(EntityManagerFactory.class).getMetamodel().getEntities()).singleElement()
				.satisfies((entity) -> assertThat(entity.getJavaType()).isEqualTo(Purchase.class));
			Purchases purchases = context.getBean(Purchases.class);
			purchases.save(new Purchase("apples"));
			assertThat(purchases.findAll()).hasSize(1);
			assertThat(save(context)).isNotNull();
		});
	}

	@Test
	void save_inAnApplicationTransactionThatIsRolledBack_staysCommitted() {
		jpa().run((context) -> {
			ResilientSession session = rolledBack(context, () -> {
				context.getBean(Purchases.class).save(new Purchase("apples"));
				return save(context);
			});
			assertThat(context.getBean(Purchases.class).findAll()).isEmpty();
			assertThat(rowsOf(context, session)).isOne();
		});
	}

	@Test
	void save_inAnApplicationTransactionOnTheSameDataSource_isItsOwnTransaction() {
		jpa().withUserConfiguration(UnpooledConfiguration.class).run((context) -> {
			assertThat(context.getBean(SessionPool.class).dataSource()).isSameAs(context.getBean(DataSource.class));
			ResilientSession session = rolledBack(context, () -> {
				Purchases purchases = context.getBean(Purchases.class);
				purchases.saveAndFlush(new Purchase("apples"));
				ResilientSession saved = save(context);
				saved.setAttribute("cart", "4 apples");
				repository(context).save(saved);
				// By way of the repository, the other way to the same rows.
				assertThat(repository(context).findByPrincipalName("anna")).isEmpty();
				return saved;
			});
			assertThat(context.getBean(Purchases.class).findAll()).isEmpty();
			assertThat(rowsOf(context, session)).isOne();
		});
	}

	@Test
	void save_whileTheApplicationReadsOnly_writes() {
		jpa().run((context) -> {
			TransactionTemplate transaction = new TransactionTemplate(
					context.getBean(PlatformTransactionManager.class));
			transaction.setReadOnly(true);
			ResilientSession session = transaction.execute((status) -> save(context));
			assertThat(rowsOf(context, session)).isOne();
		});
	}

	@Test
	void application_withJdbcOnly_getsNoEntityManagerFactory() {
		this.runner.run((context) -> {
			assertThat(context).doesNotHaveBean(EntityManagerFactory.class)
				.hasSingleBean(DataSource.class)
				.hasSingleBean(PlatformTransactionManager.class);
			assertThat(context.getBean(PlatformTransactionManager.class)).isNotInstanceOf(JpaTransactionManager.class);
			assertThat(rowsOf(context, save(context))).isOne();
		});
	}

	@Test
	void pool_ofTheSessions_leavesTheApplicationsPoolAsItIs() {
		this.runner.withPropertyValues("spring.datasource.url=" + this.postgres.createDatabase(),
				"spring.datasource.username=" + this.postgres.username(),
				"spring.datasource.password=" + this.postgres.password(),
				"spring.datasource.hikari.maximum-pool-size=3", "resilient-session.durable.initialize-schema=always")
			.run((context) -> {
				save(context);
				HikariDataSource application = context.getBean(HikariDataSource.class);
				assertThat(application.getMaximumPoolSize()).isEqualTo(3);
				assertThat(application.getPoolName()).isNotEqualTo("resilient-session");
				assertThat(application.getDataSourceProperties()).isEmpty();
				assertThat(context.getBean(JdbcTemplate.class)
					.queryForObject("select current_setting('application_name')", String.class))
					.isNotEqualTo("resilient-session");
				assertThat(
						context.getBean(JdbcTemplate.class)
							.queryForObject("select count(*) from pg_stat_activity where application_name = "
									+ "'resilient-session' and datname = current_database()", Integer.class))
					.isPositive();
			});
	}

	@Test
	void datasource_ofItsOwn_keepsTheSessions() {
		this.runner.withPropertyValues("resilient-session.datasource.url=" + StarterRunner.memoryDatabase())
			.run((context) -> {
				assertThat(context).hasSingleBean(DataSource.class);
				ResilientSession session = save(context);
				assertThat(rowsOf(context, session)).isOne();
				assertThat(context.getBean(JdbcTemplate.class)
					.queryForObject("select count(*) from information_schema.tables where table_name ilike "
							+ "'resilient_session'", Integer.class))
					.isZero();
			});
	}

	@Test
	void datasource_ofItsOwn_isEnoughWithoutTheApplicationsAutoConfiguration() {
		new WebApplicationContextRunner()
			.withConfiguration(AutoConfigurations.of(DataRedisAutoConfiguration.class, SessionAutoConfiguration.class,
					ResilientSessionAutoConfiguration.class))
			.withPropertyValues("spring.data.redis.url=redis://" + StarterRunner.unusedAddress(),
					"resilient-session.datasource.url=" + StarterRunner.memoryDatabase())
			.run((context) -> {
				assertThat(context).doesNotHaveBean(DataSource.class);
				assertThat(rowsOf(context, save(context))).isOne();
			});
	}

	@Test
	void datasource_thatIsQualified_keepsTheSessions() {
		this.runner.withUserConfiguration(QualifiedConfiguration.class).run((context) -> {
			assertThat(context.getBean(SessionPool.class).dataSource())
				.isSameAs(context.getBean("sessionDataSource", DataSource.class));
			assertThat(rowsOf(context, save(context))).isOne();
		});
	}

	private WebApplicationContextRunner jpa() {
		return this.runner
			.withConfiguration(AutoConfigurations.of(HibernateJpaAutoConfiguration.class,
					DataJpaRepositoriesAutoConfiguration.class))
			.withPropertyValues("spring.jpa.hibernate.ddl-auto=create-drop")
			.withUserConfiguration(PurchaseConfiguration.class);
	}

	private static <T> T rolledBack(AssertableWebApplicationContext context, Supplier<T> work) {
		return new TransactionTemplate(context.getBean(PlatformTransactionManager.class)).execute((status) -> {
			status.setRollbackOnly();
			return work.get();
		});
	}

	private static ResilientSessionRepository repository(AssertableWebApplicationContext context) {
		return context.getBean(ResilientSessionRepository.class);
	}

	private static ResilientSession save(AssertableWebApplicationContext context) {
		return StarterRunner.saveSession(repository(context));
	}

	private static int rowsOf(AssertableWebApplicationContext context, ResilientSession session) {
		return new JdbcTemplate(context.getBean(SessionPool.class).dataSource()).queryForObject(
				"select count(*) from resilient_session where session_id = ?", Integer.class, session.getId());
	}

	@Configuration(proxyBeanMethods = false)
	@AutoConfigurationPackage
	static class PurchaseConfiguration {

	}

	@Configuration(proxyBeanMethods = false)
	static class UnpooledConfiguration {

		@Bean
		DataSource dataSource() {
			return new DriverManagerDataSource(StarterRunner.memoryDatabase());
		}

	}

	@Configuration(proxyBeanMethods = false)
	static class QualifiedConfiguration {

		@Bean
		DataSource applicationDataSource() {
			return new DriverManagerDataSource(StarterRunner.memoryDatabase());
		}

		@Bean
		@ResilientSessionDataSource
		DataSource sessionDataSource() {
			return new DriverManagerDataSource(StarterRunner.memoryDatabase());
		}

	}

}

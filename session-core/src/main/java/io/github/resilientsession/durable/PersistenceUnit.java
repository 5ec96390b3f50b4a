package io.github.resilientsession.durable;

import java.util.Map;
import java.util.function.Function;

import javax.sql.DataSource;

import jakarta.persistence.EntityManagerFactory;
import jakarta.persistence.PersistenceException;
import jakarta.persistence.SharedCacheMode;
import jakarta.persistence.ValidationMode;
import org.hibernate.boot.model.naming.PhysicalNamingStrategyStandardImpl;

import org.springframework.dao.DataAccessException;
import org.springframework.dao.support.DataAccessUtils;
import org.springframework.dao.support.PersistenceExceptionTranslator;
import org.springframework.data.jpa.repository.support.JpaRepositoryFactory;
import org.springframework.orm.jpa.JpaTransactionManager;
import org.springframework.orm.jpa.LocalContainerEntityManagerFactoryBean;
import org.springframework.orm.jpa.SharedEntityManagerCreator;
import org.springframework.orm.jpa.persistenceunit.PersistenceManagedTypes;
import org.springframework.orm.jpa.vendor.HibernateJpaVendorAdapter;
import org.springframework.transaction.TransactionException;
import org.springframework.transaction.support.DefaultTransactionStatus;
import org.springframework.transaction.support.TransactionTemplate;

/**
 * The library's own JPA persistence unit, of which the application sees no bean and
 * {@code spring.jpa} no property. It opens without a connection, so that an application
 * starts while the database is down.
 */
final class PersistenceUnit implements AutoCloseable {

	private final LocalContainerEntityManagerFactoryBean factory = new LocalContainerEntityManagerFactoryBean();

	private final SessionRowRepository repository;

	private final TransactionTemplate transaction;

	private final PersistenceExceptionTranslator translator;

	PersistenceUnit(DataSource dataSource, Platform platform) {
		HibernateJpaVendorAdapter hibernate = new HibernateJpaVendorAdapter();
		this.translator = hibernate.getJpaDialect();
		hibernate.setGenerateDdl(false);
		this.factory.setPersistenceUnitName("resilient-session");
		this.factory.setDataSource(dataSource);
		this.factory.setManagedTypes(PersistenceManagedTypes.of(SessionRow.class.getName()));
		this.factory.setJpaVendorAdapter(hibernate);
		this.factory.setSharedCacheMode(SharedCacheMode.NONE);
		this.factory.setValidationMode(ValidationMode.NONE);
		// Without metadata Hibernate has to be told what it talks to.
		this.factory.setJpaPropertyMap(Map.of("jakarta.persistence.database-product-name", platform.productName(),
				"jakarta.persistence.database-product-version", platform.productVersion(),
				"hibernate.boot.allow_jdbc_metadata_access", false, "hibernate.hbm2ddl.auto", "none",
				// What fails is thrown, and logged where it is known what it means.
				"hibernate.jdbc.log.errors", false, "hibernate.physical_naming_strategy",
				PhysicalNamingStrategyStandardImpl.class.getName()));
		this.factory.afterPropertiesSet();
		EntityManagerFactory entityManagers = this.factory.getObject();
		if (entityManagers == null) {
			throw new IllegalStateException("The persistence unit of the session store did not open");
		}
		// Not by @EnableJpaRepositories, which would make the application's own
		// repositories disappear.
		this.repository = new JpaRepositoryFactory(SharedEntityManagerCreator.createSharedEntityManager(entityManagers))
			.getRepository(SessionRowRepository.class);
		this.transaction = new TransactionTemplate(new JpaTransactionManager(entityManagers) {

			@Override
			protected void doRollback(DefaultTransactionStatus status) {
				try {
					super.doRollback(status);
				}
				catch (TransactionException | DataAccessException ex) {
					// The connection has died, and the transaction with it. What failed
					// first says more.
					this.logger.debug("A transaction could not be rolled back", ex);
				}
			}

		});
	}

	/**
	 * Use the repository within a transaction of its own.
	 * @throws DataAccessException if the database failed
	 * @throws TransactionException if it failed at the begin or the end
	 */
	<T> T inTransaction(Function<SessionRowRepository, T> work) {
		try {
			return this.transaction.execute((status) -> work.apply(this.repository));
		}
		catch (PersistenceException ex) {
			throw DataAccessUtils.translateIfNecessary(ex, this.translator);
		}
	}

	@Override
	public void close() {
		this.factory.destroy();
	}

}

package io.github.resilientsession.autoconfigure;

import java.time.Duration;
import java.util.List;
import java.util.function.Supplier;

import javax.sql.DataSource;

import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariConfigMXBean;
import com.zaxxer.hikari.HikariDataSource;
import io.github.resilientsession.durable.Platform;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

import org.springframework.beans.factory.DisposableBean;
import org.springframework.boot.jdbc.DataSourceUnwrapper;
import org.springframework.util.StringUtils;

/**
 * The small connection pool of the durable tier. It is the library's own, on the
 * application's database unless told otherwise: an application that exhausts its pool
 * does not stop its sessions, and sessions do not exhaust the application's. Not a
 * {@code DataSource} itself, so that it never is a candidate where the application
 * injects one.
 */
final class SessionPool implements DisposableBean {

	private static final Logger logger = LoggerFactory.getLogger(SessionPool.class);

	private final DataSource dataSource;

	private final boolean own;

	private final @Nullable String url;

	private SessionPool(DataSource dataSource, boolean own, @Nullable String url) {
		this.dataSource = dataSource;
		this.own = own;
		this.url = url;
	}

	static SessionPool create(ResilientSessionProperties properties, @Nullable DataSource qualified,
			@Nullable DataSource application) {
		ResilientSessionProperties.Datasource given = properties.datasource();
		String url = given.url();
		if (StringUtils.hasText(url)) {
			if (properties.durable().platform() == null) {
				// Before its driver is looked for, which fails with less to go by.
				supported(() -> Platform.fromUrl(url));
			}
			HikariConfig config = new HikariConfig();
			config.setJdbcUrl(url);
			config.setUsername(given.username());
			config.setPassword(given.password());
			if (StringUtils.hasText(given.driverClassName())) {
				config.setDriverClassName(given.driverClassName());
			}
			return pool(config, properties);
		}
		if (qualified != null) {
			return shared(qualified);
		}
		if (application == null) {
			throw new ContradictorySettingsException(List.of("there is no database for sessions: set "
					+ "spring.datasource.url or resilient-session.datasource.url, or mark one of several DataSource "
					+ "beans with @ResilientSessionDataSource or as primary"));
		}
		HikariDataSource hikari = DataSourceUnwrapper.unwrap(application, HikariConfigMXBean.class,
				HikariDataSource.class);
		if (hikari == null) {
			logger.info(
					"Sessions share the application's DataSource ({}), and wait for its connections as long as it "
							+ "lets them. Set resilient-session.datasource.url to give them a pool of their own.",
					application.getClass().getName());
			return shared(application);
		}
		HikariConfig config = new HikariConfig();
		hikari.copyStateTo(config);
		return pool(config, properties);
	}

	private static SessionPool shared(DataSource dataSource) {
		HikariDataSource hikari = DataSourceUnwrapper.unwrap(dataSource, HikariConfigMXBean.class,
				HikariDataSource.class);
		return new SessionPool(dataSource, false, (hikari != null) ? hikari.getJdbcUrl() : null);
	}

	private static SessionPool pool(HikariConfig config, ResilientSessionProperties settings) {
		Duration limit = settings.durable().timeLimit();
		config.setPoolName("resilient-session");
		config.setMaximumPoolSize(settings.durable().maxConnections());
		config.setMinimumIdle(Math.min(2, settings.durable().maxConnections()));
		config.setConnectionTimeout(Math.max(250, limit.toMillis() / 2));
		config.setValidationTimeout(Math.max(250, limit.toMillis() / 4));
		// Start with the database down.
		config.setInitializationFailTimeout(-1);
		config.setAutoCommit(true);
		config.setReadOnly(false);
		// Statements for many rows pass over those that others have changed meanwhile.
		config.setTransactionIsolation("TRANSACTION_READ_COMMITTED");
		config.setRegisterMbeans(false);
		config.setLeakDetectionThreshold(0);
		nameConnections(config);
		limitLocks(config, settings.durable());
		return new SessionPool(new HikariDataSource(config), true, config.getJdbcUrl());
	}

	/**
	 * Let the connections be told from the application's. Not by the pool's data source
	 * properties, which are the same object as those of the pool they were copied from.
	 */
	private static void nameConnections(HikariConfig config) {
		String url = config.getJdbcUrl();
		if (url != null && url.startsWith("jdbc:postgresql:") && !url.contains("ApplicationName=")
				&& config.getDataSourceProperties().getProperty("ApplicationName") == null) {
			config.setJdbcUrl(url + (url.contains("?") ? "&" : "?") + "ApplicationName=resilient-session");
		}
	}

	private static void limitLocks(HikariConfig config, ResilientSessionProperties.Durable settings) {
		String url = config.getJdbcUrl();
		Platform platform = settings.platform();
		if (platform == null && url != null) {
			platform = supported(() -> Platform.fromUrl(url));
		}
		if (platform != null) {
			String given = config.getConnectionInitSql();
			String own = platform.connectionInitSql(settings.timeLimit());
			config.setConnectionInitSql(StringUtils.hasText(given) ? given + "; " + own : own);
		}
	}

	DataSource dataSource() {
		return this.dataSource;
	}

	Platform platform(ResilientSessionProperties properties) {
		Platform given = properties.durable().platform();
		if (given != null) {
			return given;
		}
		String known = this.url;
		return supported(() -> (known != null) ? Platform.fromUrl(known) : Platform.fromConnection(this.dataSource));
	}

	private static Platform supported(Supplier<Platform> platform) {
		try {
			return platform.get();
		}
		catch (IllegalArgumentException | IllegalStateException ex) {
			throw new ContradictorySettingsException(List.of(String.valueOf(ex.getMessage())));
		}
	}

	@Override
	public void destroy() {
		if (this.own) {
			((HikariDataSource) this.dataSource).close();
		}
	}

}

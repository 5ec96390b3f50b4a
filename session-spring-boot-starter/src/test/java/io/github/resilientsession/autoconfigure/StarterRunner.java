package io.github.resilientsession.autoconfigure;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.util.UUID;

import io.github.resilientsession.ResilientSession;
import io.github.resilientsession.ResilientSessionRepository;
import io.github.resilientsession.testsupport.RedisServer;

import org.springframework.boot.autoconfigure.AutoConfigurations;
import org.springframework.boot.data.redis.autoconfigure.DataRedisAutoConfiguration;
import org.springframework.boot.jdbc.autoconfigure.DataSourceAutoConfiguration;
import org.springframework.boot.jdbc.autoconfigure.DataSourceTransactionManagerAutoConfiguration;
import org.springframework.boot.jdbc.autoconfigure.JdbcTemplateAutoConfiguration;
import org.springframework.boot.session.autoconfigure.SessionAutoConfiguration;
import org.springframework.boot.session.data.redis.autoconfigure.SessionDataRedisAutoConfiguration;
import org.springframework.boot.test.context.runner.WebApplicationContextRunner;
import org.springframework.boot.tomcat.autoconfigure.servlet.TomcatServletWebServerAutoConfiguration;
import org.springframework.boot.transaction.autoconfigure.TransactionAutoConfiguration;
import org.springframework.boot.web.server.servlet.context.AnnotationConfigServletWebServerApplicationContext;

/**
 * Web applications that use the starter, not yet started.
 */
final class StarterRunner {

	private StarterRunner() {
	}

	/**
	 * An application with a Redis and an H2 in memory of its own.
	 */
	static WebApplicationContextRunner withRedis(RedisServer redis) {
		return withRedisAt(redis.uri());
	}

	static WebApplicationContextRunner withRedisAt(String uri) {
		return bare().withPropertyValues("spring.data.redis.url=" + uri, "spring.datasource.url=" + memoryDatabase());
	}

	/**
	 * An application without any setting, in a web server of its own: Boot takes a mock
	 * servlet context for a WAR, where {@code server.servlet.session} means nothing.
	 */
	static WebApplicationContextRunner bare() {
		return new WebApplicationContextRunner(AnnotationConfigServletWebServerApplicationContext::new)
			.withPropertyValues("server.port=0")
			.withConfiguration(AutoConfigurations.of(TomcatServletWebServerAutoConfiguration.class,
					DataRedisAutoConfiguration.class, DataSourceAutoConfiguration.class,
					DataSourceTransactionManagerAutoConfiguration.class, JdbcTemplateAutoConfiguration.class,
					TransactionAutoConfiguration.class, SessionAutoConfiguration.class,
					SessionDataRedisAutoConfiguration.class, ResilientSessionAutoConfiguration.class,
					ResilientSessionWebAutoConfiguration.class, ResilientSessionHealthAutoConfiguration.class,
					ResilientSessionMetricsAutoConfiguration.class, ResilientSessionEndpointAutoConfiguration.class,
					UnusedStarterAutoConfiguration.class));
	}

	static String memoryDatabase() {
		return "jdbc:h2:mem:" + UUID.randomUUID() + ";DB_CLOSE_DELAY=-1";
	}

	/**
	 * An address where nobody listens.
	 */
	static String unusedAddress() {
		try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
			return "127.0.0.1:" + socket.getLocalPort();
		}
		catch (IOException ex) {
			throw new UncheckedIOException(ex);
		}
	}

	/**
	 * Save a session with one attribute.
	 */
	static ResilientSession saveSession(ResilientSessionRepository repository) {
		ResilientSession session = repository.createSession();
		session.setAttribute("cart", "3 apples");
		repository.save(session);
		return session;
	}

}

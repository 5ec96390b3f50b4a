package io.github.resilientsession.autoconfigure;

import java.net.http.HttpResponse;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;

import io.github.resilientsession.testsupport.RealServers;
import io.github.resilientsession.testsupport.RedisServer;
import jakarta.servlet.http.HttpSessionEvent;
import jakarta.servlet.http.HttpSessionListener;
import org.junit.jupiter.api.Test;

import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Tests for what an {@link HttpSessionListener} of the application is told.
 */
@RealServers
class HttpSessionListenerTests {

	private final RedisServer redis;

	HttpSessionListenerTests(RedisServer redis) {
		this.redis = redis;
	}

	@Test
	@SuppressWarnings("unchecked")
	void listener_isToldOfANewSessionOnce_andNotOfAChangeOfId() throws Exception {
		try (WebApplication application = WebApplication.start(this.redis, Listener.class)) {
			Queue<String> told = application.bean("told", Queue.class);
			String cookie = application.login();
			assertThat(told).containsExactly("created for alice");
			assertThat(application.get("/name", cookie).body()).isEqualTo("alice");
			assertThat(application.get("/rotate", cookie).headers().firstValue("Set-Cookie")).isPresent();
			assertThat(told).hasSize(1);
		}
	}

	@Test
	@SuppressWarnings("unchecked")
	void listener_isToldOfTheEnd_whileTheAttributesCanBeRead() throws Exception {
		try (WebApplication application = WebApplication.start(this.redis, Listener.class)) {
			Queue<String> told = application.bean("told", Queue.class);
			String cookie = application.login();
			HttpResponse<String> logout = application.get("/logout", cookie);
			assertThat(logout.statusCode()).isEqualTo(200);
			application.get("/logout", cookie);
			assertThat(told).containsExactly("created for alice", "destroyed for alice");
		}
	}

	@Configuration(proxyBeanMethods = false)
	static class Listener {

		@Bean
		Queue<String> told() {
			return new ConcurrentLinkedQueue<>();
		}

		@Bean
		HttpSessionListener listener(Queue<String> told) {
			return new HttpSessionListener() {

				@Override
				public void sessionCreated(HttpSessionEvent event) {
					told.add("created for " + event.getSession().getAttribute("name"));
					throw new IllegalStateException("A listener that fails");
				}

				@Override
				public void sessionDestroyed(HttpSessionEvent event) {
					told.add("destroyed for " + event.getSession().getAttribute("name"));
					throw new IllegalStateException("A listener that fails");
				}

			};
		}

	}

}

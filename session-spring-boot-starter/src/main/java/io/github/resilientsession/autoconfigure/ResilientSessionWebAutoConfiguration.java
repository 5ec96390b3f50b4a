package io.github.resilientsession.autoconfigure;

import java.util.EnumSet;

import io.github.resilientsession.ResilientSessionRepository;
import jakarta.servlet.DispatcherType;
import jakarta.servlet.Filter;

import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.boot.autoconfigure.condition.ConditionalOnBean;
import org.springframework.boot.autoconfigure.condition.ConditionalOnClass;
import org.springframework.boot.autoconfigure.condition.ConditionalOnMissingBean;
import org.springframework.boot.session.autoconfigure.SessionProperties;
import org.springframework.boot.web.servlet.FilterRegistrationBean;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.web.servlet.DispatcherServlet;

/**
 * Auto-configuration for what a request sees when no store can answer: a 503 with the
 * cookie kept, and public pages that work all the same.
 */
@AutoConfiguration(after = ResilientSessionAutoConfiguration.class,
		beforeName = "org.springframework.boot.webmvc.autoconfigure.WebMvcAutoConfiguration")
@ConditionalOnBean(ResilientSessionRepository.class)
public final class ResilientSessionWebAutoConfiguration {

	@Bean
	@ConditionalOnMissingBean
	SessionStoreUnavailableHandler sessionStoreUnavailableHandler() {
		return new DefaultSessionStoreUnavailableHandler();
	}

	@Bean
	FilterRegistrationBean<SessionStoreUnavailableFilter> sessionStoreUnavailableFilter(
			SessionStoreUnavailableHandler handler, SessionProperties properties) {
		// Outside of Spring Session's filter, whose commit may fail too.
		return registration(new SessionStoreUnavailableFilter(handler), properties.getServlet().getFilterOrder() - 1);
	}

	@Bean
	FilterRegistrationBean<UnreachableSessionFilter> unreachableSessionFilter(SessionProperties properties) {
		return registration(new UnreachableSessionFilter(), properties.getServlet().getFilterOrder() + 1);
	}

	private static <F extends Filter> FilterRegistrationBean<F> registration(F filter, int order) {
		FilterRegistrationBean<F> registration = new FilterRegistrationBean<>(filter);
		registration.setDispatcherTypes(EnumSet.of(DispatcherType.REQUEST, DispatcherType.ERROR, DispatcherType.ASYNC));
		registration.setOrder(order);
		return registration;
	}

	/**
	 * What Spring MVC needs.
	 */
	@Configuration(proxyBeanMethods = false)
	@ConditionalOnClass(DispatcherServlet.class)
	static class WebMvcConfiguration {

		@Bean
		RethrowingExceptionResolver resilientSessionExceptionResolver() {
			return new RethrowingExceptionResolver();
		}

		@Bean(DispatcherServlet.FLASH_MAP_MANAGER_BEAN_NAME)
		@ConditionalOnMissingBean(name = DispatcherServlet.FLASH_MAP_MANAGER_BEAN_NAME)
		TolerantFlashMapManager flashMapManager() {
			return new TolerantFlashMapManager();
		}

	}

}

package io.github.resilientsession.sample;

import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.List;
import java.util.Set;

import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletRequestWrapper;
import org.apache.catalina.Globals;

import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.annotation.Profile;
import org.springframework.core.annotation.Order;
import org.springframework.http.HttpMethod;
import org.springframework.http.HttpStatus;
import org.springframework.security.authentication.AuthenticationManager;
import org.springframework.security.authorization.AuthorizationDecision;
import org.springframework.security.config.annotation.authentication.configuration.AuthenticationConfiguration;
import org.springframework.security.config.annotation.web.builders.HttpSecurity;
import org.springframework.security.config.annotation.web.configurers.AbstractHttpConfigurer;
import org.springframework.security.core.userdetails.User;
import org.springframework.security.core.userdetails.UserDetailsService;
import org.springframework.security.provisioning.InMemoryUserDetailsManager;
import org.springframework.security.web.SecurityFilterChain;
import org.springframework.security.web.authentication.HttpStatusEntryPoint;
import org.springframework.security.web.authentication.SimpleUrlAuthenticationFailureHandler;
import org.springframework.security.web.authentication.logout.HttpStatusReturningLogoutSuccessHandler;
import org.springframework.security.web.authentication.logout.LogoutFilter;
import org.springframework.security.web.csrf.CookieCsrfTokenRepository;
import org.springframework.security.web.savedrequest.CookieRequestCache;
import org.springframework.security.web.savedrequest.NullRequestCache;
import org.springframework.security.web.servlet.util.matcher.PathPatternRequestMatcher;

/**
 * Who may do what, once for pages and once for the API.
 * <p>
 * A session begins at a successful login and at no other place. That keeps visitors and
 * crawlers out of the session store, and the public pages working when no store does.
 */
@Configuration(proxyBeanMethods = false)
class SecurityConfiguration {

	private static final String CONTENT_SECURITY_POLICY = "default-src 'none'; style-src 'self'; img-src 'self'; "
			+ "form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

	private static final String CONTROL_ROOM_SECURITY_POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; "
			+ "img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

	private static final Set<String> LOCAL_NAMES = Set.of("localhost", "127.0.0.1", "[::1]", "0:0:0:0:0:0:0:1");

	private static final List<String> FORWARDING_HEADERS = List.of("X-Forwarded-For", "X-Forwarded-Host", "Forwarded");

	/**
	 * Health for everybody, all else for this machine only: it can be told to do
	 * something. A page on another site cannot, since it may not send JSON here; nor can
	 * what comes through a load balancer on this machine.
	 */
	@Bean
	@Order(0)
	SecurityFilterChain actuator(HttpSecurity http) {
		return http.securityMatcher("/actuator/**")
			.authorizeHttpRequests((requests) -> requests.requestMatchers("/actuator/health/**")
				.permitAll()
				.anyRequest()
				.access((authentication,
						context) -> new AuthorizationDecision(isFromThisMachine(context.getRequest()))))
			.csrf(AbstractHttpConfigurer::disable)
			.addFilterBefore(new JsonOnlyFilter(), LogoutFilter.class)
			.requestCache((cache) -> cache.requestCache(new NullRequestCache()))
			.exceptionHandling(
					(handling) -> handling.authenticationEntryPoint(new HttpStatusEntryPoint(HttpStatus.FORBIDDEN)))
			.build();
	}

	/**
	 * The control room of the demo, for a browser on this machine only: it breaks
	 * servers. The name is looked at as well, so that no other site can pass for this
	 * one.
	 */
	@Bean
	@Order(0)
	@Profile("demo")
	SecurityFilterChain controlRoomFilters(HttpSecurity http) {
		return http.securityMatcher("/control/**")
			.authorizeHttpRequests((requests) -> requests.anyRequest()
				.access((authentication,
						context) -> new AuthorizationDecision(isFromThisMachine(context.getRequest())
								&& LOCAL_NAMES.contains(context.getRequest().getServerName()))))
			.csrf((csrf) -> csrf.csrfTokenRepository(csrfTokens()))
			.requestCache((cache) -> cache.requestCache(new NullRequestCache()))
			.exceptionHandling(
					(handling) -> handling.authenticationEntryPoint(new HttpStatusEntryPoint(HttpStatus.FORBIDDEN)))
			.headers((headers) -> headers
				.contentSecurityPolicy((csp) -> csp.policyDirectives(CONTROL_ROOM_SECURITY_POLICY)))
			.build();
	}

	/**
	 * Whether a request was sent here directly, and from here. What it claims about that
	 * does not count, whatever {@code server.forward-headers-strategy} is.
	 */
	private static boolean isFromThisMachine(HttpServletRequest request) {
		HttpServletRequest received = received(request);
		// Tomcat (strategy "native") takes the address from a header of any peer in a
		// private network, and removes the header. It says that it looked, not whether
		// there was one: then nobody is known to be on this machine.
		if (received.getAttribute(Globals.REQUEST_FORWARDED_ATTRIBUTE) != null
				|| FORWARDING_HEADERS.stream().anyMatch((name) -> received.getHeader(name) != null)) {
			return false;
		}
		try {
			// An address and not a name: nothing is looked up.
			return InetAddress.getByName(received.getRemoteAddr()).isLoopbackAddress();
		}
		catch (UnknownHostException ex) {
			return false;
		}
	}

	/**
	 * As Tomcat has it: Spring (strategy "framework") hides the headers, and changes the
	 * address, in a request around it.
	 */
	private static HttpServletRequest received(HttpServletRequest request) {
		HttpServletRequest received = request;
		while (received instanceof HttpServletRequestWrapper wrapper
				&& wrapper.getRequest() instanceof HttpServletRequest wrapped) {
			received = wrapped;
		}
		return received;
	}

	@Bean
	@Order(1)
	SecurityFilterChain api(HttpSecurity http) {
		return http.securityMatcher("/api/**")
			.authorizeHttpRequests((requests) -> requests.requestMatchers("/api/login", "/api/products")
				.permitAll()
				.anyRequest()
				.authenticated())
			// Safe without tokens: JsonOnlyFilter explains what takes their place. The
			// cookie being SameSite=Lax (application.yml) is the second line.
			.csrf(AbstractHttpConfigurer::disable)
			.addFilterBefore(new JsonOnlyFilter(), LogoutFilter.class)
			.requestCache((cache) -> cache.requestCache(new NullRequestCache()))
			.exceptionHandling((handling) -> handling.authenticationEntryPoint((request, response, ex) -> ApiProblem
				.write(response, HttpStatus.UNAUTHORIZED, "Log in first: POST /api/login")))
			// Without CSRF tokens, Spring Security would log out on a GET, too: any link.
			.logout((logout) -> logout
				.logoutRequestMatcher(PathPatternRequestMatcher.pathPattern(HttpMethod.POST, "/api/logout"))
				.logoutSuccessHandler(new HttpStatusReturningLogoutSuccessHandler(HttpStatus.NO_CONTENT)))
			.build();
	}

	@Bean
	@Order(2)
	SecurityFilterChain pages(HttpSecurity http, ForeignCartRemoval foreignCartRemoval) {
		return http
			.authorizeHttpRequests((requests) -> requests.requestMatchers("/cart/**", "/checkout", "/order")
				.authenticated()
				.anyRequest()
				.permitAll())
			.formLogin((login) -> login.loginPage("/login").failureHandler(loginFailure()))
			.logout((logout) -> logout.logoutSuccessUrl("/"))
			.csrf((csrf) -> csrf.csrfTokenRepository(csrfTokens()))
			.requestCache((cache) -> cache.requestCache(pageBeforeLogin()))
			// In addition to the change of the session id, which is the default.
			.sessionManagement((sessions) -> sessions.addSessionAuthenticationStrategy(foreignCartRemoval))
			.headers((headers) -> headers.contentSecurityPolicy((csp) -> csp.policyDirectives(CONTENT_SECURITY_POLICY)))
			.build();
	}

	/**
	 * The demo's users. Their passwords are not hashed, on purpose: everybody may know
	 * them, and a load test should measure the session store, not bcrypt. Don't do this
	 * at home.
	 */
	@Bean
	UserDetailsService users() {
		InMemoryUserDetailsManager users = new InMemoryUserDetailsManager();
		for (String name : new String[] { "anna", "ben", "chris" }) {
			users.createUser(User.withUsername(name).password("{noop}lasting").roles("CUSTOMER").build());
		}
		// Not the manager itself, which would hash a password at its first use.
		return (name) -> users.loadUserByUsername(name);
	}

	@Bean
	AuthenticationManager authenticationManager(AuthenticationConfiguration configuration) {
		return configuration.getAuthenticationManager();
	}

	private static CookieCsrfTokenRepository csrfTokens() {
		// In a cookie, else the login page would need a session for its token.
		CookieCsrfTokenRepository tokens = new CookieCsrfTokenRepository();
		tokens.setCookieCustomizer((cookie) -> cookie.httpOnly(true).sameSite("Lax"));
		return tokens;
	}

	private static CookieRequestCache pageBeforeLogin() {
		// In a cookie, else a stranger's request for /cart would create a session.
		CookieRequestCache cache = new CookieRequestCache();
		cache.setRequestMatcher(PathPatternRequestMatcher.pathPattern(HttpMethod.GET, "/**"));
		cache.setCookieCustomizer((cookie) -> cookie.setAttribute("SameSite", "Lax"));
		return cache;
	}

	private static SimpleUrlAuthenticationFailureHandler loginFailure() {
		SimpleUrlAuthenticationFailureHandler handler = new SimpleUrlAuthenticationFailureHandler("/login?error");
		handler.setAllowSessionCreation(false);
		return handler;
	}

}

package io.github.resilientsession.sample;

import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import org.jspecify.annotations.Nullable;

import org.springframework.security.authentication.AuthenticationManager;
import org.springframework.security.authentication.UsernamePasswordAuthenticationToken;
import org.springframework.security.core.Authentication;
import org.springframework.security.core.context.SecurityContext;
import org.springframework.security.core.context.SecurityContextHolder;
import org.springframework.security.web.authentication.session.ChangeSessionIdAuthenticationStrategy;
import org.springframework.security.web.context.HttpSessionSecurityContextRepository;
import org.springframework.security.web.context.SecurityContextRepository;
import org.springframework.stereotype.Component;

/**
 * The login of the API: what Spring Security's form login does, in the same order, for
 * credentials that came as JSON.
 */
@Component
class ApiLogin {

	private final AuthenticationManager authenticationManager;

	private final ForeignCartRemoval foreignCartRemoval;

	private final ChangeSessionIdAuthenticationStrategy fixationProtection = new ChangeSessionIdAuthenticationStrategy();

	private final SecurityContextRepository contexts = new HttpSessionSecurityContextRepository();

	ApiLogin(AuthenticationManager authenticationManager, ForeignCartRemoval foreignCartRemoval) {
		this.authenticationManager = authenticationManager;
		this.foreignCartRemoval = foreignCartRemoval;
	}

	/**
	 * Log somebody in and give the session a new id, if there was one.
	 * @param username the user's name
	 * @param password the user's password
	 * @param request the current request
	 * @param response the current response
	 * @return who is logged in now
	 * @throws org.springframework.security.core.AuthenticationException if the name or
	 * the password is wrong
	 */
	Authentication login(@Nullable String username, @Nullable String password, HttpServletRequest request,
			HttpServletResponse response) {
		Authentication authentication = this.authenticationManager
			.authenticate(UsernamePasswordAuthenticationToken.unauthenticated(username, password));
		this.foreignCartRemoval.onAuthentication(authentication, request, response);
		this.fixationProtection.onAuthentication(authentication, request, response);
		SecurityContext context = SecurityContextHolder.createEmptyContext();
		context.setAuthentication(authentication);
		SecurityContextHolder.setContext(context);
		this.contexts.saveContext(context, request, response);
		return authentication;
	}

}

package io.github.resilientsession.drill;

import java.time.Instant;

import org.jspecify.annotations.Nullable;

import org.springframework.session.Session;
import org.springframework.session.SessionRepository;

/**
 * A shop without a web server: what a request does to its session.
 *
 * @param <S> the sessions
 */
final class RepositoryShop<S extends Session> implements Shop {

	private final SessionRepository<S> repository;

	RepositoryShop(SessionRepository<S> repository) {
		this.repository = repository;
	}

	@Override
	public String logIn() {
		S session = this.repository.createSession();
		session.setAttribute("user", "a visitor of the shop");
		session.setAttribute("cart", 0);
		this.repository.save(session);
		return session.getId();
	}

	@Override
	public @Nullable Integer look(String visitor) {
		return request(visitor, false);
	}

	@Override
	public @Nullable Integer buy(String visitor) {
		return request(visitor, true);
	}

	private @Nullable Integer request(String visitor, boolean buys) {
		S session = this.repository.findById(visitor);
		if (session == null) {
			return null;
		}
		Integer cart = session.getRequiredAttribute("cart");
		session.setLastAccessedTime(Instant.now());
		if (buys) {
			session.setAttribute("cart", cart + 1);
		}
		this.repository.save(session);
		return cart;
	}

	@Override
	public void logOut(String visitor) {
		this.repository.deleteById(visitor);
	}

}

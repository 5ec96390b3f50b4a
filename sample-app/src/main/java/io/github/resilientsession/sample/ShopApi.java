package io.github.resilientsession.sample;

import java.security.Principal;
import java.util.List;

import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import jakarta.servlet.http.HttpSession;
import org.jspecify.annotations.Nullable;

import org.springframework.web.bind.annotation.DeleteMapping;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.PutMapping;
import org.springframework.web.bind.annotation.RequestBody;
import org.springframework.web.bind.annotation.RequestMapping;
import org.springframework.web.bind.annotation.RestController;

/**
 * The shop for programs. Logging out is a filter's work, see
 * {@link SecurityConfiguration}.
 */
@RestController
@RequestMapping("/api")
class ShopApi {

	private final Catalogue catalogue;

	private final Checkout checkout;

	private final ApiLogin login;

	ShopApi(Catalogue catalogue, Checkout checkout, ApiLogin login) {
		this.catalogue = catalogue;
		this.checkout = checkout;
		this.login = login;
	}

	@PostMapping("/login")
	Me login(@RequestBody Credentials credentials, HttpServletRequest request, HttpServletResponse response) {
		return new Me(this.login.login(credentials.username(), credentials.password(), request, response).getName());
	}

	@GetMapping("/me")
	Me me(Principal principal) {
		return new Me(principal.getName());
	}

	@GetMapping("/products")
	List<Product> products() {
		return this.catalogue.products();
	}

	@GetMapping("/cart")
	Bill cart(HttpSession session) {
		return this.checkout.bill(session);
	}

	@PostMapping("/cart/items")
	Bill add(@RequestBody Item item, HttpSession session) {
		this.checkout.add(session, item.productId(), item.quantity());
		return this.checkout.bill(session);
	}

	@PutMapping("/cart/items/{productId}")
	Bill change(@PathVariable String productId, @RequestBody Quantity quantity, HttpSession session) {
		this.checkout.change(session, productId, quantity.quantity());
		return this.checkout.bill(session);
	}

	@DeleteMapping("/cart/items/{productId}")
	Bill remove(@PathVariable String productId, HttpSession session) {
		this.checkout.remove(session, productId);
		return this.checkout.bill(session);
	}

	@PostMapping("/checkout")
	Bill placeOrder(HttpSession session) {
		return this.checkout.placeOrder(session);
	}

	record Credentials(@Nullable String username, @Nullable String password) {

	}

	record Me(String username) {

	}

	record Item(@Nullable String productId, @Nullable Integer quantity) {

	}

	record Quantity(@Nullable Integer quantity) {

	}

}

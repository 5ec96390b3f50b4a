package io.github.resilientsession.sample;

import java.util.Map;

import jakarta.servlet.http.HttpSession;
import org.jspecify.annotations.Nullable;

import org.springframework.http.HttpStatus;
import org.springframework.stereotype.Controller;
import org.springframework.ui.Model;
import org.springframework.web.bind.annotation.ExceptionHandler;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestParam;
import org.springframework.web.servlet.ModelAndView;

/**
 * The shop for people.
 */
@Controller
class ShopPages {

	private final Catalogue catalogue;

	private final Checkout checkout;

	ShopPages(Catalogue catalogue, Checkout checkout) {
		this.catalogue = catalogue;
		this.checkout = checkout;
	}

	@GetMapping("/")
	String catalogue(Model model) {
		model.addAttribute("products", this.catalogue.products());
		return "catalogue";
	}

	@GetMapping("/login")
	String login() {
		return "login";
	}

	@GetMapping("/cart")
	String cart(HttpSession session, Model model) {
		model.addAttribute("cart", this.checkout.bill(session));
		return "cart";
	}

	@PostMapping("/cart/items")
	String add(@RequestParam String productId, @RequestParam int quantity, HttpSession session) {
		this.checkout.add(session, productId, quantity);
		return "redirect:/cart";
	}

	@PostMapping("/cart/items/{productId}")
	String change(@PathVariable String productId, @RequestParam int quantity, HttpSession session) {
		this.checkout.change(session, productId, quantity);
		return "redirect:/cart";
	}

	@PostMapping("/cart/items/{productId}/remove")
	String remove(@PathVariable String productId, HttpSession session) {
		this.checkout.remove(session, productId);
		return "redirect:/cart";
	}

	@PostMapping("/checkout")
	String placeOrder(HttpSession session) {
		this.checkout.placeOrder(session);
		return "redirect:/order";
	}

	@GetMapping("/order")
	String order(HttpSession session, Model model) {
		@Nullable Bill order = this.checkout.lastOrder(session);
		if (order == null) {
			return "redirect:/";
		}
		model.addAttribute("order", order);
		return "order";
	}

	@ExceptionHandler
	ModelAndView invalidInput(InvalidInputException ex) {
		return new ModelAndView("error", Map.of("status", 400, "detail", String.valueOf(ex.getMessage())),
				HttpStatus.BAD_REQUEST);
	}

}

package io.github.resilientsession.autoconfigure;

import jakarta.persistence.Entity;
import jakarta.persistence.Id;

/**
 * An entity of an application.
 */
@Entity
class Purchase {

	@Id
	private String product;

	Purchase(String product) {
		this.product = product;
	}

	protected Purchase() {
	}

}

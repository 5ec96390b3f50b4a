package io.github.resilientsession.autoconfigure;

import org.springframework.data.jpa.repository.JpaRepository;

/**
 * A repository of an application.
 */
interface Purchases extends JpaRepository<Purchase, String> {

}

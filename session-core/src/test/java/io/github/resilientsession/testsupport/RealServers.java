package io.github.resilientsession.testsupport;

import java.lang.annotation.ElementType;
import java.lang.annotation.Inherited;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

import org.junit.jupiter.api.extension.ExtendWith;

/**
 * Gives a test class real servers as parameters of type {@link RedisServer} and
 * {@link PostgresServer}, one of each per run, running and with an empty Redis before
 * each test. After each test, no key of the sessions' namespace may be without a TTL.
 */
@Target(ElementType.TYPE)
@Retention(RetentionPolicy.RUNTIME)
@Inherited
@ExtendWith(RealServersExtension.class)
public @interface RealServers {

	/**
	 * The namespace in which every key must have a TTL.
	 * @return the prefix of the keys
	 */
	String namespace() default "spring:session";

}

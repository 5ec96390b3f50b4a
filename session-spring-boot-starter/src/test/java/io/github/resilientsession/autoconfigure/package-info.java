/**
 * Tests of the starter, against real servers.
 */
package io.github.resilientsession.autoconfigure;

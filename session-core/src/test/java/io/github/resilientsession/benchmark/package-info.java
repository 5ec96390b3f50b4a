/**
 * The benchmark: Resilient Session beside what it is compared with, on the same servers
 * in one run. {@code docs/performance.md} has the command and what it has printed.
 */
package io.github.resilientsession.benchmark;

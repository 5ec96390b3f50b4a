/**
 * The consistency checker: several nodes and hundreds of clients, faults by a seeded
 * schedule, and a judge that compares what the nodes answered with what they had
 * acknowledged.
 */
package io.github.resilientsession.checker;

package io.github.resilientsession.doctor;

/**
 * Something about a Redis server that costs sessions, or will. Says nothing of any
 * session or key.
 *
 * @param check what was looked at
 * @param severity how bad it is
 * @param what what was found
 * @param why why that matters to sessions
 * @param fix the command or setting that mends it
 */
public record Finding(Check check, Severity severity, String what, String why, String fix) {

}

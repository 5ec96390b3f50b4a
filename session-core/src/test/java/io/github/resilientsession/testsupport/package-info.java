/**
 * Real servers that need no installation, with their failures as operations. Used by the
 * tests of all modules and by the sample's demo.
 */
package io.github.resilientsession.testsupport;

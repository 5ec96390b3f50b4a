package io.github.resilientsession;

import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.Architectures.layeredArchitecture;

/**
 * Who may know whom: one way from the repository through the paths to the tiers.
 */
@AnalyzeClasses(packages = "io.github.resilientsession", importOptions = ImportOption.DoNotIncludeTests.class)
class ArchitectureTests {

	@ArchTest
	static final ArchRule rooms = layeredArchitecture().consideringOnlyDependenciesInLayers()
		.layer("root")
		.definedBy("io.github.resilientsession")
		.layer("record")
		.definedBy("..record..")
		.layer("codec")
		.definedBy("..codec..")
		.layer("circuit")
		.definedBy("..circuit..")
		.layer("redis")
		.definedBy("io.github.resilientsession.redis..")
		.layer("durable")
		.definedBy("..durable..")
		.layer("flow")
		.definedBy("..flow..")
		.layer("reconcile")
		.definedBy("..reconcile..")
		.layer("doctor")
		.definedBy("..doctor..")
		.whereLayer("root")
		.mayNotBeAccessedByAnyLayer()
		.whereLayer("doctor")
		.mayOnlyBeAccessedByLayers("root")
		.whereLayer("reconcile")
		.mayOnlyBeAccessedByLayers("root")
		.whereLayer("flow")
		.mayOnlyBeAccessedByLayers("root", "reconcile")
		.whereLayer("redis")
		.mayOnlyBeAccessedByLayers("root", "flow", "reconcile", "doctor")
		.whereLayer("durable")
		.mayOnlyBeAccessedByLayers("root", "flow", "reconcile")
		.whereLayer("circuit")
		.mayOnlyBeAccessedByLayers("root", "flow", "reconcile")
		.whereLayer("codec")
		.mayOnlyBeAccessedByLayers("root", "redis", "durable");

	@ArchTest
	static final ArchRule recordsKnowTheJdkOnly = noClasses().that()
		.resideInAPackage("..record..")
		.should()
		.dependOnClassesThat()
		.resideOutsideOfPackages("java..", "..record..", "org.jspecify..");

	@ArchTest
	static final ArchRule noBoot = noClasses().should()
		.dependOnClassesThat()
		.resideInAPackage("org.springframework.boot..");

}

//! Lies in the provenance, field by field, all signed by the project's key.

use serde_json::{Value, json};

use super::super::change::NOTHING;
use super::super::world::World;
use super::Lie;

pub(in crate::verify::tests) const DEPENDENCIES: &str = "/buildDefinition/resolvedDependencies";
const BYPRODUCTS: &str = "/runDetails/byproducts";
const TOOLS: &str = "/runDetails/builder/builderDependencies";
pub(super) const PARAMETERS: &str = "/buildDefinition/externalParameters";
const TIMES: &str = "/runDetails/metadata";

/// Changes the digest of the dependency or byproduct `name`.
fn change_digest(world: &mut World, list: &str, name: &str, algorithm: &str, digits: &str) {
    world.change_resource(list, name, |resource| resource["digest"][algorithm] = digits.into());
}

/// Leaves out the dependency or byproduct `name`.
fn leave_out(world: &mut World, list: &str, name: &str) {
    world.change_provenance(|provenance| {
        let list = provenance.pointer_mut(list).and_then(Value::as_array_mut).expect("it has the list");
        list.retain(|resource| resource["name"] != name);
    });
}

/// Adds to the list.
fn add(world: &mut World, list: &str, resource: Value) {
    world.change_provenance(|provenance| {
        let list = provenance.pointer_mut(list).and_then(Value::as_array_mut).expect("it has the list");
        list.push(resource);
    });
}

pub(super) const LIES: &[Lie] = &[
    Lie {
        name: "another commit in the provenance",
        tell: |world| change_digest(world, DEPENDENCIES, "source", "gitCommit", &NOTHING[..40]),
        wrong: &["provenance.source"],
        unchecked: &[],
    },
    Lie {
        name: "another ref in the provenance",
        tell: |world| world.set(&format!("{PARAMETERS}/workflow/ref"), "refs/heads/main"),
        wrong: &["provenance.source"],
        unchecked: &[],
    },
    Lie {
        name: "another repository in the provenance",
        tell: |world| {
            world.set(&format!("{PARAMETERS}/workflow/repository"), "https://forge.example.org/acme/carol");
        },
        wrong: &["provenance.source"],
        unchecked: &[],
    },
    Lie {
        name: "the provenance without its source",
        tell: |world| leave_out(world, DEPENDENCIES, "source"),
        wrong: &["provenance.source"],
        unchecked: &[],
    },
    Lie {
        name: "the source twice in the provenance",
        tell: |world| {
            add(world, DEPENDENCIES, json!({ "name": "source", "digest": { "gitCommit": NOTHING[..40] } }));
        },
        wrong: &["provenance.source"],
        unchecked: &[],
    },
    Lie {
        name: "a source with an annotation in the provenance",
        tell: |world| {
            world.change_resource(DEPENDENCIES, "source", |source| {
                source["annotations"] = json!({ "patched": "x" });
            });
        },
        wrong: &["provenance.source"],
        unchecked: &[],
    },
    Lie {
        name: "another recipe in the provenance",
        tell: |world| world.set(&format!("{PARAMETERS}/dockerfile"), "Dockerfile.debug"),
        wrong: &["provenance.form"],
        unchecked: &[],
    },
    Lie {
        name: "other platforms in the provenance",
        tell: |world| {
            world.set(&format!("{PARAMETERS}/platforms"), json!(["linux/amd64"]));
        },
        wrong: &["provenance.form"],
        unchecked: &[],
    },
    Lie {
        name: "secrets of the build in the provenance that the commit does not name",
        tell: |world| {
            world.change_provenance(|provenance| {
                let group = json!({ "NPM_TOKEN": "environment" });
                provenance["buildDefinition"]["internalParameters"]["buildSecrets"] = group;
            });
        },
        wrong: &["provenance.form"],
        unchecked: &[],
    },
    Lie {
        name: "Dockerfile with another digest in the provenance",
        tell: |world| change_digest(world, DEPENDENCIES, "Dockerfile", "sha256", NOTHING),
        wrong: &["provenance.inputs"],
        unchecked: &[],
    },
    Lie {
        name: "package.json with another digest in the provenance",
        tell: |world| change_digest(world, DEPENDENCIES, "package.json", "sha256", NOTHING),
        wrong: &["provenance.inputs"],
        unchecked: &[],
    },
    Lie {
        name: "lockfile with another digest in the provenance",
        tell: |world| change_digest(world, DEPENDENCIES, "package-lock.json", "sha256", NOTHING),
        wrong: &["provenance.inputs"],
        unchecked: &[],
    },
    Lie {
        name: "base image with another digest in the provenance",
        tell: |world| change_digest(world, DEPENDENCIES, "base-image", "sha256", NOTHING),
        wrong: &["provenance.inputs"],
        unchecked: &[],
    },
    Lie {
        name: "builder image with another digest in the provenance",
        tell: |world| change_digest(world, DEPENDENCIES, "builder-image", "sha256", NOTHING),
        wrong: &["provenance.inputs"],
        unchecked: &[],
    },
    Lie {
        name: "the provenance without the lockfile",
        tell: |world| leave_out(world, DEPENDENCIES, "package-lock.json"),
        wrong: &["provenance.inputs"],
        unchecked: &[],
    },
    Lie {
        name: "the source after the inputs in the provenance",
        tell: |world| {
            world.change_provenance(|provenance| {
                let list = provenance.pointer_mut(DEPENDENCIES).and_then(Value::as_array_mut);
                list.expect("it has the list").rotate_left(1);
            });
        },
        wrong: &["provenance.inputs"],
        unchecked: &[],
    },
    Lie {
        name: "another builder in the provenance",
        tell: |world| world.set("/runDetails/builder/id", "https://example.org/builder"),
        wrong: &["provenance.builder"],
        unchecked: &[],
    },
    Lie {
        name: "another workflow in the provenance",
        tell: |world| world.set(&format!("{PARAMETERS}/workflow/path"), ".forgejo/workflows/nightly.yml"),
        wrong: &["provenance.builder", "provenance.run"],
        unchecked: &[],
    },
    Lie {
        name: "another tool in the provenance",
        tell: |world| {
            world.change_resource(TOOLS, "xtask", |tool| {
                tool["uri"] = "git+https://example.org/x@8#xtask".into();
            });
        },
        wrong: &["provenance.builder"],
        unchecked: &[],
    },
    Lie {
        name: "a second tool in the provenance",
        tell: |world| add(world, TOOLS, json!({ "name": "make", "digest": { "sha256": NOTHING } })),
        wrong: &["provenance.builder"],
        unchecked: &[],
    },
    Lie {
        name: "the provenance without the tool",
        tell: |world| leave_out(world, TOOLS, "xtask"),
        wrong: &["provenance.builder"],
        unchecked: &[],
    },
    Lie {
        name: "built in the future, says the provenance",
        tell: |world| world.set(&format!("{TIMES}/finishedOn"), "2999-01-01T00:00:00Z"),
        wrong: &["provenance.time"],
        unchecked: &[],
    },
    Lie {
        name: "finished before it started, says the provenance",
        tell: |world| world.set(&format!("{TIMES}/finishedOn"), "2001-01-01T00:00:00Z"),
        wrong: &["provenance.time"],
        unchecked: &[],
    },
    Lie {
        name: "built before the commit was made, says the provenance",
        tell: |world| {
            world.change_provenance(|provenance| {
                let times = provenance.pointer_mut(TIMES).expect("it has times");
                times["startedOn"] = "2001-01-01T00:00:00Z".into();
                times["finishedOn"] = "2001-01-01T00:01:00Z".into();
            });
        },
        wrong: &["provenance.time"],
        unchecked: &[],
    },
    Lie {
        name: "an invalid time in the provenance",
        tell: |world| world.set(&format!("{TIMES}/startedOn"), "yesterday"),
        wrong: &["provenance.time"],
        unchecked: &[],
    },
    Lie {
        name: "a platform's manifest with another digest among the byproducts",
        tell: |world| change_digest(world, BYPRODUCTS, "manifest linux/arm64", "sha256", NOTHING),
        wrong: &["provenance.products"],
        unchecked: &[],
    },
    Lie {
        name: "a platform's manifest missing among the byproducts",
        tell: |world| leave_out(world, BYPRODUCTS, "manifest linux/arm64"),
        wrong: &["provenance.products"],
        unchecked: &[],
    },
    Lie {
        name: "the SBOM with another digest among the byproducts",
        tell: |world| change_digest(world, BYPRODUCTS, "sbom.cdx.json", "sha256", NOTHING),
        wrong: &["provenance.products"],
        unchecked: &[],
    },
    Lie {
        name: "an extra byproduct in the provenance",
        tell: |world| {
            add(
                world,
                BYPRODUCTS,
                json!({ "name": "manifest linux/riscv64", "digest": { "sha256": NOTHING } }),
            );
        },
        wrong: &["provenance.products"],
        unchecked: &[],
    },
];

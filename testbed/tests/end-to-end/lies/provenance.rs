//! Lies about the provenance and lies in it; the latter are all signed by the project's key.

use anyhow::Result;
use serde_json::{Value, json};
use xtask::evidence::attached::PROVENANCE_PREDICATE;
use xtask::oci::reference::Digest;

use super::Lie;
use super::honest::{Honest, OLDER};
use super::judge::check;
use crate::harness::test;

/// The digits of a digest that nothing has.
const NOTHING: &str = "00000000000000000000000000000000000000000000000000000000000000ff";

/// The parts, where there is not exactly one provenance.
const PARTS: &[&str] = &["provenance.*"];

/// The parts but for `provenance.form`, where it cannot be read.
const REST: &[&str] = &[
    "provenance.source",
    "provenance.inputs",
    "provenance.builder",
    "provenance.time",
    "provenance.products",
];

/// Where cosign accepts no provenance, the page's command fails as well.
const REJECTED: &[&str] = &["provenance", "page.commands"];

/// Then there is nothing to count what is attached against either.
const WITHOUT: &[&str] = &["attachments", "provenance.*"];

/// Changes one value of the provenance.
fn set(honest: &Honest, pointer: &str, value: Value) -> Result<()> {
    honest.change_provenance(|provenance| {
        let place = provenance.pointer_mut(pointer).unwrap_or_else(|| panic!("it has no `{pointer}`"));
        *place = value;
    })
}

/// Changes the digest of the dependency or byproduct `name`.
fn set_digest(honest: &Honest, list: &str, name: &str, algorithm: &str, digits: &str) -> Result<()> {
    honest.change_provenance(|provenance| {
        let list = provenance.pointer_mut(list).and_then(Value::as_array_mut).expect("it has the list");
        let found = list.iter_mut().find(|resource| resource["name"] == name).expect("it names it");
        found["digest"][algorithm] = digits.into();
    })
}

const DEPENDENCIES: &str = "/buildDefinition/resolvedDependencies";
const BYPRODUCTS: &str = "/runDetails/byproducts";

pub(super) const ATTESTED: &[Lie] = &[
    Lie {
        name: "provenance removed",
        make: |honest| honest.drop_attestation(PROVENANCE_PREDICATE),
        wrong: REJECTED,
        unchecked: WITHOUT,
    },
    Lie {
        name: "provenance by another key instead",
        make: |honest| {
            honest.other.attest(&honest.digest, PROVENANCE_PREDICATE, &honest.provenance, &["--replace"])
        },
        wrong: REJECTED,
        unchecked: WITHOUT,
    },
    Lie {
        // Both are accepted, so nothing foreign is attached; which one is meant, nobody knows.
        name: "a second provenance by the key",
        make: |honest| honest.own.attest(&honest.digest, PROVENANCE_PREDICATE, &honest.provenance, &[]),
        wrong: &["provenance"],
        unchecked: PARTS,
    },
    Lie {
        name: "provenance copied from an older release",
        make: |honest| honest.copy_attestation(PROVENANCE_PREDICATE, &honest.digest_of(OLDER)?),
        wrong: REJECTED,
        unchecked: WITHOUT,
    },
    Lie {
        // In all the rest it is the honest one.
        name: "provenance whose subject is another digest",
        make: |honest| {
            let elsewhere = Digest::of(b"no image");
            honest.own.attest(&elsewhere, PROVENANCE_PREDICATE, &honest.provenance, &[])?;
            honest.copy_attestation(PROVENANCE_PREDICATE, &elsewhere)
        },
        wrong: REJECTED,
        unchecked: WITHOUT,
    },
    Lie {
        name: "provenance `{}`",
        make: |honest| honest.attest_anew(PROVENANCE_PREDICATE, &json!({})),
        wrong: &["provenance.form"],
        unchecked: REST,
    },
    Lie {
        name: "an external parameter more in the provenance",
        make: |honest| {
            honest.change_provenance(|provenance| {
                provenance["buildDefinition"]["externalParameters"]["target"] = "debug".into();
            })
        },
        wrong: &["provenance.form"],
        unchecked: REST,
    },
    Lie {
        name: "a resolved dependency more in the provenance",
        make: |honest| {
            honest.change_provenance(|provenance| {
                let list = provenance.pointer_mut(DEPENDENCIES).and_then(Value::as_array_mut);
                let extra = json!({ "name": "left-pad", "digest": { "sha256": NOTHING } });
                list.expect("it has dependencies").push(extra);
            })
        },
        wrong: &["provenance.inputs"],
        unchecked: &[],
    },
    Lie {
        name: "wrong build type in the provenance",
        make: |honest| set(honest, "/buildDefinition/buildType", "https://example.org/by-hand".into()),
        wrong: &["provenance.form"],
        unchecked: &[],
    },
];

pub(super) const PREDICATE: &[Lie] = &[
    Lie {
        name: "another commit in the provenance",
        make: |honest| set_digest(honest, DEPENDENCIES, "source", "gitCommit", &NOTHING[..40]),
        wrong: &["provenance.source"],
        unchecked: &[],
    },
    Lie {
        name: "another ref in the provenance",
        make: |honest| {
            set(honest, "/buildDefinition/externalParameters/localRun/ref", "refs/heads/main".into())
        },
        wrong: &["provenance.source"],
        unchecked: &[],
    },
    Lie {
        name: "another repository in the provenance",
        make: |honest| {
            let other = "https://forge.example.org/acme/carol";
            set(honest, "/buildDefinition/externalParameters/localRun/repository", other.into())
        },
        wrong: &["provenance.source"],
        unchecked: &[],
    },
    Lie {
        name: "Dockerfile with another digest in the provenance",
        make: |honest| set_digest(honest, DEPENDENCIES, "Dockerfile", "sha256", NOTHING),
        wrong: &["provenance.inputs"],
        unchecked: &[],
    },
    Lie {
        name: "lockfile with another digest in the provenance",
        make: |honest| set_digest(honest, DEPENDENCIES, "package-lock.json", "sha256", NOTHING),
        wrong: &["provenance.inputs"],
        unchecked: &[],
    },
    Lie {
        name: "base image with another digest in the provenance",
        make: |honest| set_digest(honest, DEPENDENCIES, "base-image", "sha256", NOTHING),
        wrong: &["provenance.inputs"],
        unchecked: &[],
    },
    Lie {
        name: "another builder in the provenance",
        make: |honest| set(honest, "/runDetails/builder/id", "https://example.org/builder".into()),
        wrong: &["provenance.builder"],
        unchecked: &[],
    },
    Lie {
        // The release was a person's; this says that a workflow made it, and not the one that releases.
        name: "another workflow in the provenance",
        make: |honest| {
            honest.change_provenance(|provenance| {
                let parameters = &mut provenance["buildDefinition"]["externalParameters"];
                let mut run = parameters["localRun"].take();
                run["path"] = ".forgejo/workflows/nightly.yml".into();
                run.as_object_mut().expect("a run").remove("command");
                parameters.as_object_mut().expect("parameters").remove("localRun");
                parameters["workflow"] = run;
                let id = provenance["runDetails"]["builder"]["id"].take();
                let id = id.as_str().expect("a builder").replace("#local-run", "#forgejo-actions");
                provenance["runDetails"]["builder"]["id"] = id.into();
            })
        },
        wrong: &["provenance.builder"],
        unchecked: &[],
    },
    Lie {
        name: "another command in the provenance",
        make: |honest| {
            set(honest, "/buildDefinition/externalParameters/localRun/command", "docker push".into())
        },
        wrong: &["provenance.builder"],
        unchecked: &[],
    },
    Lie {
        name: "built in the future, says the provenance",
        make: |honest| set(honest, "/runDetails/metadata/finishedOn", "2999-01-01T00:00:00Z".into()),
        wrong: &["provenance.time"],
        unchecked: &[],
    },
    Lie {
        name: "finished before it started, says the provenance",
        make: |honest| set(honest, "/runDetails/metadata/finishedOn", "2001-01-01T00:00:00Z".into()),
        wrong: &["provenance.time"],
        unchecked: &[],
    },
    Lie {
        name: "built before the commit was made, says the provenance",
        make: |honest| {
            honest.change_provenance(|provenance| {
                let times = &mut provenance["runDetails"]["metadata"];
                times["startedOn"] = "2001-01-01T00:00:00Z".into();
                times["finishedOn"] = "2001-01-01T00:01:00Z".into();
            })
        },
        wrong: &["provenance.time"],
        unchecked: &[],
    },
    Lie {
        name: "a platform's manifest with another digest among the byproducts",
        make: |honest| set_digest(honest, BYPRODUCTS, "manifest linux/arm64", "sha256", NOTHING),
        wrong: &["provenance.products"],
        unchecked: &[],
    },
    Lie {
        name: "the SBOM with another digest among the byproducts",
        make: |honest| set_digest(honest, BYPRODUCTS, "sbom.cdx.json", "sha256", NOTHING),
        wrong: &["provenance.products"],
        unchecked: &[],
    },
    Lie {
        name: "a byproduct more in the provenance",
        make: |honest| {
            honest.change_provenance(|provenance| {
                let list = provenance.pointer_mut(BYPRODUCTS).and_then(Value::as_array_mut);
                let extra = json!({ "name": "manifest linux/riscv64", "digest": { "sha256": NOTHING } });
                list.expect("it has byproducts").push(extra);
            })
        },
        wrong: &["provenance.products"],
        unchecked: &[],
    },
];

#[test]
fn lies_about_the_provenance_as_a_whole() -> Result<()> {
    test(|| check(ATTESTED))
}

#[test]
fn lies_in_the_provenance() -> Result<()> {
    test(|| check(PREDICATE))
}

//! A lie about the provenance, and one in it, with the project's key.

use anyhow::Result;
use serde_json::Value;
use xtask::evidence::attached::PROVENANCE_PREDICATE;
use xtask::oci::reference::Digest;

use super::Lie;
use super::honest::Honest;

/// The digits of a digest that nothing has.
const NOTHING: &str = "00000000000000000000000000000000000000000000000000000000000000ff";

/// If cosign accepts no provenance, the page's command fails as well.
const REJECTED: &[&str] = &["provenance", "page.commands"];

/// In that case there is also no provenance to compare the attachments with.
const WITHOUT: &[&str] = &["attachments", "provenance.*", "smoke", "page.assets"];

/// Changes the digest of the dependency or byproduct `name`.
fn set_digest(honest: &Honest, list: &str, name: &str, algorithm: &str, digits: &str) -> Result<()> {
    honest.change_provenance(|provenance| {
        let list = provenance.pointer_mut(list).and_then(Value::as_array_mut).expect("it has the list");
        let found = list.iter_mut().find(|resource| resource["name"] == name).expect("it names it");
        found["digest"][algorithm] = digits.into();
    })
}

const DEPENDENCIES: &str = "/buildDefinition/resolvedDependencies";

pub(super) const LIES: &[Lie] = &[
    Lie {
        // Everything else is as in the honest provenance.
        name: "provenance whose subject is another digest",
        make: |honest| {
            let elsewhere = Digest::of(b"no image");
            let manifests = honest.manifests()?;
            let theirs =
                honest.own.attest(&elsewhere, &manifests, PROVENANCE_PREDICATE, &honest.provenance)?;
            honest.replace_attestation(theirs)
        },
        wrong: REJECTED,
        unchecked: WITHOUT,
    },
    Lie {
        name: "another commit in the provenance",
        make: |honest| set_digest(honest, DEPENDENCIES, "source", "gitCommit", &NOTHING[..40]),
        wrong: &["provenance.source"],
        unchecked: &[],
    },
];

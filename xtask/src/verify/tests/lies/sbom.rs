//! Lies about the SBOM. An SBOM that differs from the release's is not the one that the provenance names. If the
//! provenance is made to fit, only the image reveals it.

use serde_json::{Value, json};

use super::super::change::Key;
use super::Lie;
use crate::evidence::attached::{Kind, SBOM_PREDICATE};

/// For an SBOM that is neither the released one nor the one that the image gives.
const OTHER: &[&str] = &["sbom.components", "provenance.products"];

/// If there is not exactly one SBOM, neither its components nor its mention in the provenance can be checked.
const OF_IT: &[&str] = &["sbom.components", "provenance.products"];

/// If cosign accepts no SBOM, there is also nothing to count the attachments against.
const WITHOUT: &[&str] = &["attachments", "sbom.components", "provenance.products"];

fn components(sbom: &mut Value) -> &mut Vec<Value> {
    sbom["components"].as_array_mut().expect("an SBOM has components")
}

pub(super) const LIES: &[Lie] = &[
    Lie {
        name: "SBOM removed",
        tell: |world| world.replace_attestation(SBOM_PREDICATE, None),
        wrong: &["sbom", "page.commands"],
        unchecked: WITHOUT,
    },
    Lie {
        name: "SBOM by another key instead",
        tell: |world| {
            let predicate = world.predicate(SBOM_PREDICATE);
            world.attest_anew(SBOM_PREDICATE, &predicate, Key::Other);
        },
        wrong: &["sbom", "page.commands"],
        unchecked: WITHOUT,
    },
    Lie {
        name: "a second SBOM by the key",
        tell: |world| {
            let (digest, predicate) = (world.digest.clone(), world.predicate(SBOM_PREDICATE));
            let layer = world.attestation(&digest, SBOM_PREDICATE, &predicate, Key::Own);
            world.attach(Kind::Attestations, layer);
        },
        wrong: &["sbom"],
        unchecked: OF_IT,
    },
    Lie {
        name: "SBOM copied from an older release",
        tell: |world| {
            let older = world.release_older();
            let theirs = world.layers_of(&older, Kind::Attestations).remove(1).0;
            world.replace_attestation(SBOM_PREDICATE, Some(theirs));
        },
        wrong: &["sbom", "page.commands"],
        unchecked: WITHOUT,
    },
    Lie {
        name: "SBOM without one of the components",
        tell: |world| world.change_sbom(|sbom| drop(components(sbom).pop())),
        wrong: OTHER,
        unchecked: &[],
    },
    Lie {
        name: "SBOM with one component too many",
        tell: |world| {
            let extra = json!({ "type": "library", "name": "left-pad", "version": "1.3.0" });
            world.change_sbom(|sbom| components(sbom).push(extra));
        },
        wrong: OTHER,
        unchecked: &[],
    },
    Lie {
        name: "SBOM with a wrong version",
        tell: |world| world.change_sbom(|sbom| components(sbom)[0]["version"] = "0.0.1".into()),
        wrong: OTHER,
        unchecked: &[],
    },
    Lie {
        name: "SBOM with the same components and another time",
        tell: |world| {
            world.change_sbom(|sbom| sbom["metadata"]["timestamp"] = "2001-01-01T00:00:00Z".into());
        },
        wrong: OTHER,
        unchecked: &[],
    },
    Lie {
        name: "SBOM `{}`",
        tell: |world| world.attest_anew(SBOM_PREDICATE, &json!({}), Key::Own),
        wrong: OTHER,
        unchecked: &[],
    },
    Lie {
        name: "SBOM without one of the components, and a provenance that names it",
        tell: |world| world.change_both(|sbom| drop(components(sbom).pop())),
        wrong: &["sbom.components"],
        unchecked: &[],
    },
    Lie {
        name: "SBOM with another package URL, and a provenance that names it",
        tell: |world| {
            world.change_both(|sbom| components(sbom)[0]["purl"] = "pkg:npm/left-pad@1.3.0".into());
        },
        wrong: &["sbom.components"],
        unchecked: &[],
    },
    Lie {
        name: "SBOM in which something needs less, and a provenance that names it",
        tell: |world| {
            world.change_both(|sbom| sbom["dependencies"][0]["dependsOn"] = json!([]));
        },
        wrong: &["sbom.components"],
        unchecked: &[],
    },
    Lie {
        name: "SBOM of another version of CycloneDX, and a provenance that names it",
        tell: |world| world.change_both(|sbom| sbom["specVersion"] = "1.4".into()),
        wrong: &["sbom.components"],
        unchecked: &[],
    },
];

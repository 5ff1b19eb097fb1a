//! Lies about the SBOM. One that differs from the release's is not the one that the provenance names; where the
//! provenance is made to fit, only the image tells.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use xtask::evidence::attached::PROVENANCE_PREDICATE;

use super::Lie;
use super::attached::SBOM_TYPE;
use super::honest::{Honest, OLDER};
use super::judge::check;
use crate::harness::test;

/// What is not the SBOM that was released, nor the one that is made of the image.
const OTHER: &[&str] = &["sbom.components", "provenance.products"];

/// Where there is not exactly one, neither its components can be looked at nor whether the provenance names it.
const OF_IT: &[&str] = &["sbom.components", "provenance.products"];

/// Where cosign accepts none, there is nothing to count what is attached against either.
const WITHOUT: &[&str] = &["attachments", "sbom.components", "provenance.products"];

fn components(sbom: &mut Value) -> &mut Vec<Value> {
    sbom["components"].as_array_mut().expect("an SBOM has components")
}

/// Attests a changed SBOM, and a provenance that names it.
fn change_both(honest: &Honest, change: impl FnOnce(&mut Value)) -> Result<()> {
    let digest = honest.change_sbom(change)?;
    let mut provenance = honest.provenance.clone();
    let products = provenance["runDetails"]["byproducts"].as_array_mut().context("no byproducts")?;
    let product = products.iter_mut().find(|product| product["name"] == "sbom.cdx.json");
    product.context("no SBOM among the byproducts")?["digest"]["sha256"] = digest.hex().into();
    honest.attest_anew(PROVENANCE_PREDICATE, &provenance)
}

pub(super) const LIES: &[Lie] = &[
    Lie {
        name: "SBOM removed",
        make: |honest| honest.drop_attestation(SBOM_TYPE),
        wrong: &["sbom", "page.commands"],
        unchecked: WITHOUT,
    },
    Lie {
        name: "a second SBOM by the key",
        make: |honest| honest.own.attest(&honest.digest, SBOM_TYPE, &honest.sbom, &[]),
        wrong: &["sbom"],
        unchecked: OF_IT,
    },
    Lie {
        name: "SBOM copied from an older release",
        make: |honest| honest.copy_attestation(SBOM_TYPE, &honest.digest_of(OLDER)?),
        wrong: &["sbom", "page.commands"],
        unchecked: WITHOUT,
    },
    Lie {
        name: "SBOM without one of the components",
        make: |honest| honest.change_sbom(|sbom| drop(components(sbom).pop())).map(|_| ()),
        wrong: OTHER,
        unchecked: &[],
    },
    Lie {
        name: "SBOM with one component too many",
        make: |honest| {
            let extra = json!({ "type": "library", "name": "left-pad", "version": "1.3.0" });
            honest.change_sbom(|sbom| components(sbom).push(extra)).map(|_| ())
        },
        wrong: OTHER,
        unchecked: &[],
    },
    Lie {
        name: "SBOM with a wrong version",
        make: |honest| honest.change_sbom(|sbom| components(sbom)[0]["version"] = "0.0.1".into()).map(|_| ()),
        wrong: OTHER,
        unchecked: &[],
    },
    Lie {
        name: "SBOM without one of the components, and a provenance that names it",
        make: |honest| change_both(honest, |sbom| drop(components(sbom).pop())),
        wrong: &["sbom.components"],
        unchecked: &[],
    },
    Lie {
        name: "SBOM with the same components and another time",
        make: |honest| {
            let earlier = "2001-01-01T00:00:00Z";
            honest.change_sbom(|sbom| sbom["metadata"]["timestamp"] = earlier.into()).map(|_| ())
        },
        wrong: OTHER,
        unchecked: &[],
    },
];

#[test]
fn lies_about_the_sbom() -> Result<()> {
    test(|| check(LIES))
}

//! A lie about the SBOM. If the provenance is made to match, only the image shows it.

use anyhow::{Context as _, Result};
use serde_json::Value;
use xtask::evidence::attached::PROVENANCE_PREDICATE;

use super::Lie;
use super::honest::Honest;

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

pub(super) const LIES: &[Lie] = &[Lie {
    name: "SBOM without one of the components, and a provenance that names it",
    make: |honest| change_both(honest, |sbom| drop(components(sbom).pop())),
    wrong: &["sbom.components"],
    unchecked: &[],
}];

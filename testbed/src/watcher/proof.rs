//! What belongs to a signed image in the registry: the tags that hold it, and the types that must be in each.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use super::http::Answer;

/// The predicate types of a release's attestations, as cosign writes them beside each (docs/facts.md).
pub const PREDICATE_TYPES: [&str; 3] = [
    "https://cyclonedx.org/bom",
    "https://in-toto.io/attestation/test-result/v0.1",
    "https://slsa.dev/provenance/v1",
];

/// The types of a release's bundles, as the index that lists the bundles gives them.
pub const BUNDLE_TYPES: [&str; 4] = [
    "https://cyclonedx.org/bom",
    "https://in-toto.io/attestation/test-result/v0.1",
    "https://sigstore.dev/cosign/sign/v1",
    "https://slsa.dev/provenance/v1",
];

/// The `wanted` types that no entry of an attestation manifest or bundle index has. A manifest that was replaced
/// meanwhile is gone and counts as complete.
pub(super) fn missing_types(answer: &Answer, wanted: &[&'static str]) -> Result<Vec<&'static str>> {
    if answer.status == 404 {
        return Ok(Vec::new());
    }
    ensure!(answer.status == 200, "the registry answered {} for a manifest of attestations", answer.status);
    let types = predicate_types(&answer.body)?;
    let is_missing = |wanted: &&str| !types.iter().any(|found| found == wanted);
    Ok(wanted.iter().copied().filter(is_missing).collect())
}

/// The types in one of cosign's manifests: the predicate type of each attestation layer, nothing for a signature.
/// For an index of bundles, the type of each bundle.
///
/// # Errors
/// When it is no manifest.
pub fn predicate_types(manifest: &[u8]) -> Result<Vec<String>> {
    #[derive(Deserialize)]
    struct Manifest {
        #[serde(default)]
        layers: Vec<Layer>,
        #[serde(default)]
        manifests: Vec<Layer>,
    }
    #[derive(Deserialize)]
    struct Layer {
        #[serde(default)]
        annotations: BTreeMap<String, String>,
    }
    let manifest: Manifest = serde_json::from_slice(manifest).context("reading one of cosign's manifests")?;
    let of = |key: &'static str| move |mut layer: Layer| layer.annotations.remove(key).unwrap_or_default();
    let layers = manifest.layers.into_iter().map(of("predicateType"));
    Ok(layers.chain(manifest.manifests.into_iter().map(of("dev.sigstore.bundle.predicateType"))).collect())
}

/// The tag under which cosign stores its signatures or attestations of an image.
#[must_use]
pub fn stored(digest: &str, kind: &str) -> String {
    format!("{}.{kind}", digest.replace(':', "-"))
}

/// The tag of the index that lists an image's bundles.
#[must_use]
pub fn bundled(digest: &str) -> String {
    digest.replace(':', "-")
}

#[cfg(test)]
mod tests {
    use super::{Answer, BUNDLE_TYPES, PREDICATE_TYPES, missing_types};

    #[test]
    fn types_that_a_manifest_of_attestations_lacks_are_reported() {
        let missing = |status: u16, layers: &[&str]| {
            let layer = |name: &&str| format!("{{\"annotations\":{{\"predicateType\":\"{name}\"}}}}");
            let layers: Vec<_> = layers.iter().map(layer).collect();
            let body = format!("{{\"layers\":[{}]}}", layers.join(","));
            let answer = format!("HTTP/1.1 {status} X\r\n\r\n{body}");
            missing_types(&Answer::parse(answer.as_bytes()).unwrap(), &PREDICATE_TYPES)
        };
        let [sbom, test_result, provenance] = PREDICATE_TYPES;
        assert!(missing(200, &[provenance, sbom, test_result]).unwrap().is_empty());
        assert_eq!(missing(200, &[provenance, provenance, test_result]).unwrap(), [sbom]);
        assert_eq!(missing(200, &["other"]).unwrap(), PREDICATE_TYPES);
        assert!(missing(404, &[]).unwrap().is_empty(), "it was replaced meanwhile");
        assert!(missing(500, &PREDICATE_TYPES).is_err());
    }

    #[test]
    fn types_that_an_index_of_bundles_lacks_are_reported() {
        let missing = |types: &[&str]| {
            let entry = |name: &&str| {
                format!("{{\"annotations\":{{\"dev.sigstore.bundle.predicateType\":\"{name}\"}}}}")
            };
            let entries: Vec<_> = types.iter().map(entry).collect();
            let answer = format!("HTTP/1.1 200 X\r\n\r\n{{\"manifests\":[{}]}}", entries.join(","));
            missing_types(&Answer::parse(answer.as_bytes()).unwrap(), &BUNDLE_TYPES).unwrap()
        };
        assert!(missing(&BUNDLE_TYPES).is_empty());
        assert_eq!(missing(&BUNDLE_TYPES[1..]), BUNDLE_TYPES[..1]);
        assert_eq!(missing(&[]), BUNDLE_TYPES);
    }
}

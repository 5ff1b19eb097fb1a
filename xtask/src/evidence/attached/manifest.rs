//! The manifest and config that hold attestations under a tag, in the form of cosign 2.5 and 3.1: one layer per
//! envelope (docs/facts.md#form-of-stored-attestations).

use anyhow::{Context as _, Result};
use serde_json::json;

use super::signed::Signed;
use crate::oci::media_type;
use crate::oci::reference::Digest;

/// No real time: the same envelopes give the same bytes.
const NEVER: &str = "0001-01-01T00:00:00Z";

/// The config, as JSON. A registry takes the manifest for that of an image and parses the config, so it cannot be empty.
///
/// # Errors
/// When it cannot be written.
pub fn config(envelopes: &[Signed]) -> Result<Vec<u8>> {
    let layers: Vec<_> = envelopes.iter().map(|envelope| Digest::of(&envelope.bytes)).collect();
    let history: Vec<_> = layers.iter().map(|_| json!({"created": NEVER})).collect();
    let config = json!({
        "architecture": "",
        "config": {},
        "created": NEVER,
        "history": history,
        "os": "",
        "rootfs": {"type": "layers", "diff_ids": layers},
    });
    serde_json::to_vec(&config).context("writing the config of the attestations")
}

/// The manifest over `config`, as JSON.
///
/// # Errors
/// When it cannot be written.
pub fn manifest(envelopes: &[Signed], config: &[u8]) -> Result<Vec<u8>> {
    let layer = |envelope: &Signed| {
        json!({
            "mediaType": "application/vnd.dsse.envelope.v1+json",
            "size": envelope.bytes.len(),
            "digest": Digest::of(&envelope.bytes),
            "annotations": {
                // cosign reads the signature from the envelope, but requires this key.
                "dev.cosignproject.cosign/signature": "",
                "predicateType": envelope.predicate_type,
            },
        })
    };
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": media_type::MANIFEST,
        "config": {
            "mediaType": media_type::CONFIG,
            "size": config.len(),
            "digest": Digest::of(config),
        },
        "layers": envelopes.iter().map(layer).collect::<Vec<_>>(),
    });
    serde_json::to_vec(&manifest).context("writing the manifest of the attestations")
}

#[cfg(test)]
mod tests {
    use super::{Signed, config, manifest};
    use crate::oci::reference::Digest;
    use serde_json::{Value, json};

    /// Recorded: what cosign 2.5.0 stored on distribution 2.8 after two `attest`. The digests are those of `one`, `two`
    /// and the config in this test.
    #[test]
    fn it_is_what_cosign_writes() {
        let envelopes = [("one", "https://slsa.dev/provenance/v1"), ("two", "https://cyclonedx.org/bom")]
            .map(|(text, predicate_type)| Signed { bytes: text.into(), predicate_type });
        let (one, two) = (Digest::of(b"one"), Digest::of(b"two"));
        let config = config(&envelopes).unwrap();
        let expected = json!({
            "architecture": "", "created": "0001-01-01T00:00:00Z",
            "history": [{"created": "0001-01-01T00:00:00Z"}, {"created": "0001-01-01T00:00:00Z"}],
            "os": "", "rootfs": {"type": "layers", "diff_ids": [one, two]}, "config": {},
        });
        assert_eq!(serde_json::from_slice::<Value>(&config).unwrap(), expected);
        let expected = json!({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json", "size": config.len(),
                "digest": Digest::of(&config),
            },
            "layers": [
                {"mediaType": "application/vnd.dsse.envelope.v1+json", "size": 3, "digest": one, "annotations":
                    {"dev.cosignproject.cosign/signature": "", "predicateType": "https://slsa.dev/provenance/v1"}},
                {"mediaType": "application/vnd.dsse.envelope.v1+json", "size": 3, "digest": two, "annotations":
                    {"dev.cosignproject.cosign/signature": "", "predicateType": "https://cyclonedx.org/bom"}},
            ],
        });
        assert_eq!(
            serde_json::from_slice::<Value>(&manifest(&envelopes, &config).unwrap()).unwrap(),
            expected
        );
    }
}

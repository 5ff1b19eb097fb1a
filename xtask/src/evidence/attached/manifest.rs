//! The manifest and config that hold attestations under a tag, in the form of cosign 2.5 and 3.1: one layer per
//! envelope (docs/facts.md#form-of-stored-attestations).

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use super::signed::Signed;
use super::{Attested, Kind};
use crate::evidence::envelope::decode;
use crate::oci::manifest::strict;
use crate::oci::media_type;
use crate::oci::reference::Digest;

/// The annotation in which cosign keeps a signature. It reads the signature of an attestation from the envelope, but
/// requires the annotation.
const SIGNATURE: &str = "dev.cosignproject.cosign/signature";

/// The annotation with the predicate type of an attestation.
const PREDICATE_TYPE: &str = "predicateType";

/// The type of a layer that is a signature, and of one that is an attestation.
const SIGNATURE_LAYER: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
const ENVELOPE_LAYER: &str = "application/vnd.dsse.envelope.v1+json";

/// Not a real time, so that the same envelopes give the same bytes.
const NEVER: &str = "0001-01-01T00:00:00Z";

/// The config, as JSON. A registry treats the manifest as that of an image and parses the config, so the config
/// cannot be empty.
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
            "mediaType": ENVELOPE_LAYER,
            "size": envelope.bytes.len(),
            "digest": Digest::of(&envelope.bytes),
            "annotations": {SIGNATURE: "", PREDICATE_TYPE: envelope.predicate_type},
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

/// One attached layer.
#[derive(Debug, PartialEq, Eq)]
pub struct Layer {
    /// The digest of its bytes.
    pub digest: Digest,
    /// The predicate type that an attestation is marked with; empty for a signature.
    pub mark: String,
}

impl Layer {
    /// The kind of attestation that it is marked as; `None` if a release has no such kind.
    #[must_use]
    pub fn marked(&self) -> Option<Attested> {
        Attested::ALL.into_iter().find(|of| of.predicate_type() == self.mark)
    }
}

/// The layers in the manifest of the attached objects of this kind.
///
/// # Errors
/// When it does not have exactly the form that cosign writes.
pub fn layers(kind: Kind, manifest: &[u8]) -> Result<Vec<Layer>> {
    let (what, media_type) = match kind {
        Kind::Signatures => ("signatures", SIGNATURE_LAYER),
        Kind::Attestations => ("attestations", ENVELOPE_LAYER),
    };
    let name = format!("the manifest of the {what}");
    let read = strict::Manifest::parse(&name, manifest, &[media_type::MANIFEST])?;
    ensure!(read.annotations.is_empty(), "{name} has annotations");
    let strict::Descriptor { media_type: config, annotations, .. } = &read.config;
    let is_plain = config == media_type::CONFIG && annotations.is_empty();
    ensure!(is_plain, "the config of the {what} is a `{config}`");
    let mut layers: Vec<Layer> = Vec::new();
    for mut layer in read.layers {
        let digest = layer.digest;
        ensure!(layer.media_type == media_type, "`{digest}` among the {what} is a `{}`", layer.media_type);
        let mut take = |key| layer.annotations.remove(key);
        let (signature, mark) = (take(SIGNATURE), take(PREDICATE_TYPE));
        let signature = signature.with_context(|| format!("`{digest}` among the {what} has no signature"))?;
        let is_marked = match kind {
            Kind::Signatures => mark.is_none() && !signature.is_empty(),
            // An attestation's signature is in its envelope.
            Kind::Attestations => mark.is_some() && signature.is_empty(),
        };
        ensure!(
            is_marked && layer.annotations.is_empty(),
            "`{digest}` among the {what} has other annotations"
        );
        decode("signature", &signature).with_context(|| format!("reading `{digest}` among the {what}"))?;
        let layer = Layer { digest, mark: mark.unwrap_or_default() };
        // A second attestation of a kind is reported where that kind is judged. A second signature of the same bytes need
        // not be by the holder of the key: anybody can compute one from the first (SEC 1 v2.0, 4.1.4: s and n - s).
        let is_known = |known: &Layer| known.digest == layer.digest;
        let is_twice = kind == Kind::Signatures && layers.iter().any(is_known);
        ensure!(!is_twice, "`{}` is among the {what} twice", layer.digest);
        layers.push(layer);
    }
    Ok(layers)
}

#[cfg(test)]
mod tests {
    use super::{Signed, config, layers, manifest};
    use crate::evidence::attached::Kind;
    use crate::oci::reference::Digest;
    use serde_json::{Value, json};

    /// Recorded: what cosign 2.5.0 stored on distribution 2.8 after two `attest`. The digests are those of `one`, `two`
    /// and the config in this test.
    #[test]
    fn manifest_and_config_are_what_cosign_writes() {
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

    #[test]
    fn a_manifest_in_another_form_than_cosign_writes_is_refused() {
        let attested = |layer: Value| {
            json!({
                "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": Digest::of(b"{}"), "size": 2},
                "layers": [layer],
            })
        };
        let layer = |media_type: &str, annotations: Value| json!({"mediaType": media_type, "digest": Digest::of(b"x"), "size": 1, "annotations": annotations});
        let key = "dev.cosignproject.cosign/signature";
        let envelope = |annotations| layer("application/vnd.dsse.envelope.v1+json", annotations);
        let signature = |annotations| layer("application/vnd.dev.cosign.simplesigning.v1+json", annotations);
        let attestation = attested(envelope(json!({key: "", "predicateType": "type"})));
        let with = |pointer: &str, field: &str, value: Value| {
            let mut changed = attestation.clone();
            changed.pointer_mut(pointer).unwrap()[field] = value;
            changed
        };
        let read = |kind, manifest: &Value| layers(kind, manifest.to_string().as_bytes());
        assert_eq!(read(Kind::Attestations, &attestation).unwrap()[0].mark, "type");
        let signed = attested(signature(json!({key: "MEUC"})));
        assert_eq!(read(Kind::Signatures, &signed).unwrap()[0].mark, "");
        for (kind, other) in [
            (Kind::Signatures, attestation.clone()),
            (Kind::Attestations, signed.clone()),
            (Kind::Attestations, with("", "schemaVersion", json!(1))),
            (Kind::Attestations, with("", "mediaType", json!("application/vnd.oci.image.index.v1+json"))),
            (Kind::Attestations, with("", "annotations", json!({"note": "x"}))),
            (Kind::Attestations, with("/config", "mediaType", json!("application/json"))),
            (Kind::Attestations, with("/config", "annotations", json!({"note": "x"}))),
            (Kind::Attestations, with("/layers/0/annotations", "note", json!("x"))),
            (Kind::Attestations, attested(envelope(json!({"predicateType": "type"})))),
            (Kind::Attestations, attested(envelope(json!({key: ""})))),
            (Kind::Attestations, attested(envelope(json!({key: "MEUC", "predicateType": "type"})))),
            (Kind::Signatures, attested(signature(json!({})))),
            (Kind::Signatures, attested(signature(json!({key: ""})))),
            (Kind::Signatures, attested(signature(json!({key: "MEUC", "predicateType": "type"})))),
        ] {
            assert!(read(kind, &other).is_err(), "{other}");
        }
    }
}

//! What cosign says of what the registry has, without cosign: everything that was recorded is signed by the key, and whatever a
//! lie lets somebody else sign carries [`OTHER_KEY`]. A test holds it against what the real one printed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::Value;

use crate::evidence::attached::{Kind, PROVENANCE_PREDICATE, SBOM_PREDICATE};
use crate::oci::index;
use crate::oci::reference::Digest;
use crate::oci::registry::Wanted;
use crate::verify::claim::Seen;
use crate::verify::observe::store::Store as _;
use crate::verify::observe::{Answer, seen};

use super::world::World;

/// A signature by somebody else.
pub(super) const OTHER_KEY: &str = "b3RoZXI=";

/// Where a signature is, in the manifest that keeps it.
pub(super) const SIGNATURE: &str = "dev.cosignproject.cosign/signature";

impl World {
    /// The answers to the commands about the image `digest` and its platforms, as `version`, in the order of the commands.
    pub(super) fn cosign(&self, version: &str, digest: &Digest, how_many: usize) -> Vec<Seen<Answer>> {
        let mut answers = vec![
            self.signatures(version, std::slice::from_ref(digest)),
            self.attestations(digest, PROVENANCE_PREDICATE),
            self.attestations(digest, SBOM_PREDICATE),
        ];
        if how_many > answers.len() {
            let index = self.blobs.get(digest).map(Vec::as_slice).unwrap_or_default();
            let platforms = index::platforms(index).unwrap_or_default();
            let digests: Vec<_> = platforms.into_iter().map(|(_, digest)| digest).collect();
            answers.push(self.signatures(version, &digests));
        }
        answers
    }

    /// A refusal counts when the registry answers for what was refused, as `verify` has it.
    fn refused(&self, digest: &Digest, kind: Kind, words: &str) -> Seen<Answer> {
        let answer = self.fetch(&[Wanted::Manifest(kind.tag(digest))]).pop();
        seen(answer.unwrap_or(Ok(None)))?;
        Ok(Answer::Rejected(words.to_owned()))
    }

    fn signatures(&self, version: &str, digests: &[Digest]) -> Seen<Answer> {
        let mut printed = String::new();
        for digest in digests {
            let is_right = |layer: &&(Value, Vec<u8>)| {
                let payload: Value = serde_json::from_slice(&layer.1).unwrap_or_default();
                layer.0["annotations"][SIGNATURE] != OTHER_KEY
                    && payload["critical"]["image"]["docker-manifest-digest"] == digest.as_str()
                    && payload["optional"]["version"] == version
            };
            let layers = self.layers_of(digest, Kind::Signatures);
            let accepted: Vec<_> =
                layers.iter().filter(is_right).map(|(_, bytes)| String::from_utf8_lossy(bytes)).collect();
            if accepted.is_empty() {
                return self.refused(digest, Kind::Signatures, "no matching signatures");
            }
            printed += &format!("\n[{}]\n", accepted.join(","));
        }
        Ok(Answer::Accepted(printed))
    }

    fn attestations(&self, digest: &Digest, predicate_type: &str) -> Seen<Answer> {
        let is_right = |layer: &&(Value, Vec<u8>)| {
            let envelope: Value = serde_json::from_slice(&layer.1).unwrap_or_default();
            let head: Head = serde_json::from_slice(&payload(&envelope)).unwrap_or_default();
            envelope["signatures"][0]["sig"] != OTHER_KEY
                && head.predicate_type == predicate_type
                && head.subject[0]["digest"]["sha256"] == digest.hex()
        };
        let layers = self.layers_of(digest, Kind::Attestations);
        let accepted: Vec<_> = layers
            .iter()
            .filter(is_right)
            .map(|(_, bytes)| format!("{}\n", String::from_utf8_lossy(bytes)))
            .collect();
        if accepted.is_empty() {
            return self.refused(digest, Kind::Attestations, "none of the attestations matched");
        }
        Ok(Answer::Accepted(accepted.concat()))
    }

    /// The answer to a signature of bytes.
    pub(super) fn check(signature: &str) -> Result<(), String> {
        if signature == OTHER_KEY { Err("invalid signature".to_owned()) } else { Ok(()) }
    }

    /// What is attached to `digest`: each layer and its bytes.
    pub(super) fn layers_of(&self, digest: &Digest, kind: Kind) -> Vec<(Value, Vec<u8>)> {
        if !self.tags.contains_key(&kind.tag(digest)) || self.silent_registry.is_some() {
            return Vec::new();
        }
        let manifest = self.json(&kind.tag(digest));
        let layers = manifest["layers"].as_array().cloned().unwrap_or_default();
        let bytes = |layer: &Value| {
            let digest = layer["digest"].as_str().and_then(|digest| digest.parse::<Digest>().ok());
            digest.and_then(|digest| self.blobs.get(&digest).cloned()).unwrap_or_default()
        };
        layers.into_iter().map(|layer| (layer.clone(), bytes(&layer))).collect()
    }
}

/// What cosign looks at in a statement.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    predicate_type: String,
    subject: Value,
}

/// The statement in an envelope.
pub(super) fn statement(envelope: &Value) -> Value {
    serde_json::from_slice(&payload(envelope)).unwrap_or_default()
}

fn payload(envelope: &Value) -> Vec<u8> {
    envelope["payload"].as_str().and_then(|text| STANDARD.decode(text).ok()).unwrap_or_default()
}

//! cosign's answers about what the registry has, without cosign. Everything that was recorded counts as signed by the
//! key, and whatever a lie lets somebody else sign carries [`OTHER_KEY`]. A test compares this stand-in with the output
//! of the real cosign.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::evidence::attached::{Attested, Kind};
use crate::oci::index;
use crate::oci::reference::Digest;
use crate::oci::registry::Wanted;
use crate::verify::claim::Observed;
use crate::verify::observe::store::Store as _;
use crate::verify::observe::{Answer, seen};

use super::mutation::json::Json;
use super::world::World;

/// A signature by somebody else.
pub(super) const OTHER_KEY: &str = "b3RoZXI=";

/// The annotation with the signature, in the manifest that holds it.
pub(super) const SIGNATURE: &str = "dev.cosignproject.cosign/signature";

impl World {
    /// The answers to the commands about the image `digest` and its platforms for `version`, in the order of the
    /// commands.
    pub(super) fn cosign(&self, version: &str, digest: &Digest, how_many: usize) -> Vec<Observed<Answer>> {
        let mut answers = vec![self.signatures(version, std::slice::from_ref(digest))];
        answers.extend(Attested::ALL.map(|of| self.attestations(digest, of.predicate_type())));
        if how_many > answers.len() {
            let index = self.blobs.get(digest).map(Vec::as_slice).unwrap_or_default();
            let platforms = index::platforms(index).unwrap_or_default();
            let digests: Vec<_> = platforms.into_iter().map(|(_, digest)| digest).collect();
            answers.push(self.signatures(version, &digests));
        }
        answers
    }

    /// A rejection, if the registry answers for what was rejected; else it does not count, as in `verify`.
    fn refused(&self, digest: &Digest, kind: Kind, words: &str) -> Observed<Answer> {
        let answer = self.fetch(&[Wanted::Tagged(kind.tag(digest))]).pop();
        seen(answer.unwrap_or(Ok(None)))?;
        Ok(Answer::Rejected(words.to_owned()))
    }

    fn signatures(&self, version: &str, digests: &[Digest]) -> Observed<Answer> {
        let mut printed = String::new();
        for digest in digests {
            let is_right = |layer: &&(Value, Vec<u8>)| {
                let signature = layer.0["annotations"][SIGNATURE].as_str().unwrap_or_default();
                let Some(payload) = read(&layer.1) else { return false };
                self.is_signed(signature, &layer.1)
                    && text(&payload, &["critical", "image", "docker-manifest-digest"]) == digest.as_str()
                    && text(&payload, &["optional", "version"]) == version
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

    fn attestations(&self, digest: &Digest, predicate_type: &str) -> Observed<Answer> {
        let is_right = |layer: &&(Value, Vec<u8>)| {
            let Some(envelope) = read(&layer.1) else { return false };
            let payload = STANDARD.decode(text(&envelope, &["payload"])).unwrap_or_default();
            let Some(statement) = read(&payload) else { return false };
            let signatures = envelope.get("signatures").map(Json::items).unwrap_or_default();
            signatures.iter().any(|signature| self.is_signed(text(signature, &["sig"]), &payload))
                && text(&statement, &["predicateType"]) == predicate_type
                && statement.get("subject").is_some_and(|subjects| {
                    subjects
                        .items()
                        .iter()
                        .any(|subject| text(subject, &["digest", "sha256"]) == digest.hex())
                })
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

    /// Whether the key signed these bytes: yes for anything, unless it is known what the key signed.
    fn is_signed(&self, signature: &str, payload: &[u8]) -> bool {
        match &self.signed {
            Some(signed) => signed.contains(&(signature.to_owned(), Digest::of(payload))),
            None => signature != OTHER_KEY,
        }
    }

    /// cosign's answer about a signature of a payload that is encoded with [`crate::evidence::envelope::pae`].
    pub(super) fn check(&self, signature: &str, encoded: &[u8]) -> Result<(), String> {
        let payload = encoded.splitn(5, |byte| *byte == b' ').last().unwrap_or_default();
        if self.is_signed(signature, payload) { Ok(()) } else { Err("invalid signature".to_owned()) }
    }

    /// cosign's answer about a signature of a page's digests.
    pub(super) fn check_sums(&self, signature: &[u8], sums: &[u8]) -> Result<(), String> {
        let signature = String::from_utf8_lossy(signature);
        if self.is_signed(&signature, sums) { Ok(()) } else { Err("invalid signature".to_owned()) }
    }

    /// What is attached to `digest`: each layer with its bytes.
    pub(super) fn layers_of(&self, digest: &Digest, kind: Kind) -> Vec<(Value, Vec<u8>)> {
        if !self.tags.contains_key(kind.tag(digest).as_str()) || self.silent_registry.is_some() {
            return Vec::new();
        }
        let manifest = self.json(kind.tag(digest).as_str());
        let layers = manifest["layers"].as_array().cloned().unwrap_or_default();
        let bytes = |layer: &Value| {
            let digest = layer["digest"].as_str().and_then(|digest| digest.parse::<Digest>().ok());
            digest.and_then(|digest| self.blobs.get(&digest).cloned()).unwrap_or_default()
        };
        layers.into_iter().map(|layer| (layer.clone(), bytes(&layer))).collect()
    }
}

fn read(bytes: &[u8]) -> Option<Json> {
    serde_json::from_slice(bytes).ok()
}

/// The text at the end of a path of keys, in any spelling. Odd spellings are not rejected here: detecting them is
/// `verify`'s task.
fn text<'a>(json: &'a Json, path: &[&str]) -> &'a str {
    let found = path.iter().try_fold(json, |json, key| json.get(key));
    found.and_then(Json::as_str).unwrap_or_default()
}

/// The statement in an envelope.
pub(super) fn statement(envelope: &Value) -> Value {
    serde_json::from_slice(&payload(envelope)).unwrap_or_default()
}

fn payload(envelope: &Value) -> Vec<u8> {
    envelope["payload"].as_str().and_then(|text| STANDARD.decode(text).ok()).unwrap_or_default()
}

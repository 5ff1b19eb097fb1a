//! A signed attestation in cosign's output, checked strictly before anything is stored.

use anyhow::{Context as _, Result, ensure};

use crate::evidence::attestation::predicate;
use crate::oci::exact;
use crate::oci::reference::Digest;

/// A DSSE envelope, byte for byte as signed.
pub struct Signed {
    /// The bytes that the registry stores.
    pub bytes: Vec<u8>,
    /// The type of its predicate.
    pub predicate_type: &'static str,
}

impl Signed {
    /// Parses `bytes`, which must be an envelope with one signature. Its statement must have the predicate `given`,
    /// of `predicate_type`, and `digest` as its first subject.
    ///
    /// # Errors
    /// When they are anything else.
    pub fn parse(
        bytes: Vec<u8>,
        predicate_type: &'static str,
        given: &[u8],
        digest: &Digest,
    ) -> Result<Self> {
        let doing = || format!("reading the attestation of `{predicate_type}` that cosign signed");
        let signed = predicate(&bytes, predicate_type, digest).with_context(doing)?;
        let given = exact::value(given).context("reading the predicate that cosign was given")?;
        ensure!(signed == given, "{}: the predicate is not the one that cosign was given", doing());
        Ok(Self { bytes, predicate_type })
    }
}

#[cfg(test)]
mod tests {
    use super::Signed;
    use crate::oci::reference::Digest;
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde_json::json;

    const TYPE: &str = "https://slsa.dev/provenance/v1";

    #[test]
    fn only_an_attestation_of_the_given_predicate_is_accepted_byte_for_byte() {
        let digest = Digest::of(b"image");
        let statement = json!({
            "_type": "https://in-toto.io/Statement/v0.1", "predicateType": TYPE, "predicate": {"x": 1},
            "subject": [{"name": "forge.example.org/acme/carol", "digest": {"sha256": digest.hex()}}],
        });
        let envelope = json!({
            "payloadType": "application/vnd.in-toto+json", "payload": STANDARD.encode(statement.to_string()),
            "signatures": [{"keyid": "", "sig": "MEUC"}],
        });
        let bytes = envelope.to_string().into_bytes();
        let parse = |given: &str| Signed::parse(bytes.clone(), TYPE, given.as_bytes(), &digest);
        let parsed = parse(r#"{ "x": 1 }"#).unwrap();
        assert_eq!((parsed.bytes.as_slice(), parsed.predicate_type), (bytes.as_slice(), TYPE));
        for other in [r#"{"x": 2}"#, "{}", r#"{"x": 2, "x": 1}"#, ""] {
            assert!(parse(other).is_err(), "{other}");
        }
    }
}

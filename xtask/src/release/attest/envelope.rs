//! A signed attestation as cosign gives it, read strictly before anything is stored.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::Value;

use crate::reference::Digest;

/// The type of what a DSSE envelope of an attestation holds.
const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// The statement's own type: cosign writes the first, verifiers take both.
const STATEMENTS: [&str; 2] = ["https://in-toto.io/Statement/v0.1", "https://in-toto.io/Statement/v1"];

/// A DSSE envelope, byte for byte as it was signed.
pub(super) struct Envelope {
    pub(super) bytes: Vec<u8>,
    pub(super) predicate_type: &'static str,
}

/// <https://github.com/secure-systems-lab/dsse/blob/master/envelope.md>
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Dsse {
    payload_type: String,
    payload: String,
    signatures: Vec<Signature>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Signature {
    #[serde(rename = "keyid", default)]
    _key_id: String,
    sig: String,
}

/// <https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md>
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Statement {
    #[serde(rename = "_type")]
    statement_type: String,
    predicate_type: String,
    subject: Vec<Subject>,
    predicate: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Subject {
    #[serde(rename = "name")]
    _name: String,
    digest: BTreeMap<String, String>,
}

impl Envelope {
    /// `bytes` must be one signature of a statement that `predicate`, of `predicate_type`, is about `digest` alone.
    pub(super) fn parse(
        bytes: Vec<u8>,
        predicate_type: &'static str,
        predicate: &[u8],
        digest: &Digest,
    ) -> Result<Self> {
        let doing = || format!("reading the attestation of `{predicate_type}` that cosign signed");
        check(&bytes, predicate_type, predicate, digest).with_context(doing)?;
        Ok(Self { bytes, predicate_type })
    }
}

fn check(bytes: &[u8], predicate_type: &str, predicate: &[u8], digest: &Digest) -> Result<()> {
    let envelope: Dsse = serde_json::from_slice(bytes).context("it is not a DSSE envelope")?;
    ensure!(envelope.payload_type == PAYLOAD_TYPE, "the payload is `{}`", envelope.payload_type);
    let [signature] = &envelope.signatures[..] else {
        anyhow::bail!("it has {} signatures: expected one", envelope.signatures.len());
    };
    let signature = STANDARD.decode(&signature.sig).context("the signature is not base64")?;
    ensure!(!signature.is_empty(), "the signature is empty");
    let payload = STANDARD.decode(&envelope.payload).context("the payload is not base64")?;
    let statement: Statement =
        serde_json::from_slice(&payload).context("the payload is not an in-toto statement")?;
    ensure!(
        STATEMENTS.contains(&statement.statement_type.as_str()),
        "it is a `{}`",
        statement.statement_type
    );
    ensure!(statement.predicate_type == predicate_type, "the predicate is a `{}`", statement.predicate_type);
    let expected = BTreeMap::from([("sha256".to_owned(), digest.hex().to_owned())]);
    let is_ours = statement.subject.len() == 1 && statement.subject.iter().all(|one| one.digest == expected);
    ensure!(is_ours, "its subject is not `{digest}` alone");
    let given: Value = serde_json::from_slice(predicate).context("the predicate is not JSON")?;
    ensure!(statement.predicate == given, "the predicate is not the one that cosign was given");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::Envelope;
    use crate::reference::Digest;
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde_json::{Value, json};

    const TYPE: &str = "https://slsa.dev/provenance/v1";

    fn statement(digest: &Digest) -> Value {
        json!({
            "_type": "https://in-toto.io/Statement/v0.1", "predicateType": TYPE, "predicate": {"x": 1},
            "subject": [{"name": "forge.example.org/acme/carol", "digest": {"sha256": digest.hex()}}],
        })
    }

    fn envelope(statement: &Value) -> Value {
        json!({
            "payloadType": "application/vnd.in-toto+json", "payload": STANDARD.encode(statement.to_string()),
            "signatures": [{"keyid": "", "sig": "MEUC"}],
        })
    }

    fn is_taken(envelope: &Value) -> bool {
        let bytes = envelope.to_string().into_bytes();
        let parsed = Envelope::parse(bytes.clone(), TYPE, br#"{ "x": 1 }"#, &Digest::of(b"image"));
        parsed.is_ok_and(|parsed| parsed.bytes == bytes && parsed.predicate_type == TYPE)
    }

    #[test]
    fn what_was_asked_for_is_taken_byte_for_byte() {
        let right = envelope(&statement(&Digest::of(b"image")));
        assert!(is_taken(&right));
        let mut without_key_id = right;
        without_key_id["signatures"] = json!([{"sig": "MEUC"}]);
        assert!(is_taken(&without_key_id), "cosign 3 leaves it out");
    }

    #[test]
    fn anything_else_in_the_envelope_is_refused() {
        let right = || envelope(&statement(&Digest::of(b"image")));
        for (field, value) in [
            ("payloadType", json!("text/plain")),
            ("payload", json!("*")),
            ("payload", json!("e30=")),
            ("signatures", json!([])),
            ("signatures", json!([{"sig": "MEUC"}, {"sig": "MEUC"}])),
            ("signatures", json!([{"sig": ""}])),
            ("signatures", json!([{"sig": "MEUC", "cert": "x"}])),
            ("extra", json!(1)),
        ] {
            let mut wrong = right();
            wrong[field] = value.clone();
            assert!(!is_taken(&wrong), "{field}: {value}");
        }
    }

    #[test]
    fn anything_else_in_the_statement_is_refused() {
        let hex = Digest::of(b"image").hex().to_owned();
        let subject = |digest: Value| json!({"name": "x", "digest": digest});
        for (field, value) in [
            ("_type", json!("https://example.org/Statement/v1")),
            ("predicateType", json!("https://cyclonedx.org/bom")),
            ("predicate", json!({"x": 2})),
            ("predicate", json!({})),
            ("subject", json!([])),
            ("subject", json!([subject(json!({"sha256": Digest::of(b"other").hex()}))])),
            ("subject", json!([subject(json!({"sha256": hex, "sha512": "x"}))])),
            ("subject", json!([subject(json!({"sha256": hex})), subject(json!({"sha256": hex}))])),
            ("extra", json!(1)),
        ] {
            let mut wrong = statement(&Digest::of(b"image"));
            wrong[field] = value.clone();
            assert!(!is_taken(&envelope(&wrong)), "{field}: {value}");
        }
    }
}

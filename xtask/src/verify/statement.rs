//! What cosign prints, read strictly: signature payloads, DSSE envelopes, in-toto statements.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::Value;

use crate::reference::Digest;

/// <https://github.com/secure-systems-lab/dsse/blob/master/envelope.md>; its signature was checked by cosign.
#[derive(Deserialize)]
struct Envelope {
    #[serde(rename = "payloadType")]
    payload_type: String,
    payload: String,
}

/// <https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md>.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Statement {
    predicate_type: String,
    subject: Vec<Subject>,
    predicate: Value,
}

#[derive(Deserialize)]
struct Subject {
    digest: BTreeMap<String, String>,
}

/// One entry of what `cosign verify` prints.
#[derive(Deserialize)]
struct SignaturePayload {
    critical: Critical,
    optional: Option<BTreeMap<String, Value>>,
}

#[derive(Deserialize)]
struct Critical {
    image: SignedImage,
}

#[derive(Deserialize)]
struct SignedImage {
    #[serde(rename = "docker-manifest-digest")]
    digest: Digest,
}

/// Every signature that cosign accepted is of this digest and version; returns how many there are.
pub(super) fn check_signatures(output: &str, version: &str, digest: &Digest) -> Result<usize> {
    let payloads: Vec<SignaturePayload> =
        serde_json::from_str(output).context("what cosign printed is not the expected JSON")?;
    let says_version = |payload: &SignaturePayload| {
        payload.optional.as_ref().and_then(|optional| optional.get("version")).and_then(Value::as_str)
            == Some(version)
    };
    ensure!(!payloads.is_empty(), "there is no signature");
    for payload in &payloads {
        ensure!(
            &payload.critical.image.digest == digest,
            "a signature is of `{}`",
            payload.critical.image.digest
        );
        ensure!(says_version(payload), "a signature does not say `version={version}`");
    }
    Ok(payloads.len())
}

/// The predicate of the one attestation that cosign accepted.
pub(super) fn only_predicate(output: &str, predicate_type: &str, digest: &Digest) -> Result<Value> {
    let envelopes: Vec<_> = output.lines().filter(|line| !line.trim().is_empty()).collect();
    let [envelope] = envelopes[..] else {
        bail!("there are {} attestations of `{predicate_type}` by the key: expected one", envelopes.len());
    };
    let envelope: Envelope = serde_json::from_str(envelope).context("it is not a DSSE envelope")?;
    ensure!(
        envelope.payload_type == "application/vnd.in-toto+json",
        "the payload is `{}`",
        envelope.payload_type
    );
    let payload = STANDARD.decode(&envelope.payload).context("the payload is not base64")?;
    let statement: Statement =
        serde_json::from_slice(&payload).context("the payload is not an in-toto statement")?;
    ensure!(statement.predicate_type == predicate_type, "the predicate is a `{}`", statement.predicate_type);
    let names_image =
        |subject: &Subject| subject.digest.get("sha256").map(String::as_str) == Some(digest.hex());
    ensure!(
        statement.subject.len() == 1 && statement.subject.iter().all(names_image),
        "its subject is not `{digest}`"
    );
    Ok(statement.predicate)
}

#[cfg(test)]
mod tests {
    use super::{check_signatures, only_predicate};
    use crate::reference::Digest;
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde_json::json;

    fn envelope(predicate_type: &str, digest: &Digest) -> String {
        let statement = json!({
            "predicateType": predicate_type, "subject": [{"name": "x", "digest": {"sha256": digest.hex()}}],
            "predicate": {"x": 1},
        });
        let payload = STANDARD.encode(statement.to_string());
        json!({"payloadType": "application/vnd.in-toto+json", "payload": payload, "signatures": []})
            .to_string()
    }

    #[test]
    fn exactly_one_attestation_of_the_right_type_and_subject() {
        let digest = Digest::of(b"image");
        let right = envelope("type", &digest);
        assert_eq!(only_predicate(&right, "type", &digest).unwrap(), json!({"x": 1}));
        assert!(only_predicate("", "type", &digest).is_err());
        assert!(only_predicate(&format!("{right}\n{right}"), "type", &digest).is_err());
        assert!(only_predicate(&envelope("other", &digest), "type", &digest).is_err());
        assert!(only_predicate(&envelope("type", &Digest::of(b"other")), "type", &digest).is_err());
    }

    #[test]
    fn every_signature_is_of_this_digest_and_version() {
        let digest = Digest::of(b"image");
        let payload = |digest: &Digest, version: &str| json!({"critical": {"image": {"docker-manifest-digest": digest}}, "optional": {"version": version}});
        let check = |payloads: serde_json::Value| check_signatures(&payloads.to_string(), "1.2.3", &digest);
        assert_eq!(check(json!([payload(&digest, "1.2.3")])).unwrap(), 1);
        assert!(check(json!([])).is_err());
        assert!(check(json!([payload(&digest, "1.2.2")])).is_err());
        assert!(check(json!([payload(&Digest::of(b"other"), "1.2.3")])).is_err());
        assert!(check(json!([payload(&digest, "1.2.3"), payload(&digest, "1.2.2")])).is_err());
    }
}

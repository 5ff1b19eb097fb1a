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

/// What `cosign verify` printed: an array of payloads for each image that it was asked about.
pub(super) fn signatures(output: &str) -> Result<Vec<Signature>> {
    let arrays = serde_json::Deserializer::from_str(output).into_iter::<Vec<SignaturePayload>>();
    let arrays: Vec<_> =
        arrays.collect::<Result<_, _>>().context("what cosign printed is not the expected JSON")?;
    let signature = |payload: SignaturePayload| {
        let version = payload.optional.as_ref().and_then(|optional| optional.get("version"));
        Signature {
            digest: payload.critical.image.digest,
            version: version.and_then(Value::as_str).map(str::to_owned),
        }
    };
    Ok(arrays.into_iter().flatten().map(signature).collect())
}

/// What a signature that cosign accepted says.
pub(super) struct Signature {
    digest: Digest,
    version: Option<String>,
}

/// Every signature that cosign accepted is of one of `digests` and of this version, and none of them lacks one; returns
/// how many there are.
pub(super) fn check_signatures(output: &str, version: &str, digests: &[Digest]) -> Result<usize> {
    let found = signatures(output)?;
    for signature in &found {
        ensure!(digests.contains(&signature.digest), "a signature is of `{}`", signature.digest);
        ensure!(
            signature.version.as_deref() == Some(version),
            "a signature does not say `version={version}`"
        );
    }
    for digest in digests {
        ensure!(
            found.iter().any(|signature| &signature.digest == digest),
            "there is no signature of `{digest}`"
        );
    }
    Ok(found.len())
}

/// The DSSE envelopes that `cosign verify-attestation` printed, one a line.
pub(super) fn envelopes(output: &str) -> impl Iterator<Item = &str> {
    output.lines().filter(|line| !line.trim().is_empty())
}

/// The predicate of the one attestation that cosign accepted.
pub(super) fn only_predicate(output: &str, predicate_type: &str, digest: &Digest) -> Result<Value> {
    let envelopes: Vec<_> = envelopes(output).collect();
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
    fn every_signature_is_of_these_digests_and_this_version_and_none_is_missing() {
        let (one, two) = (Digest::of(b"one"), Digest::of(b"two"));
        let payload = |digest: &Digest, version: &str| json!({"critical": {"image": {"docker-manifest-digest": digest}}, "optional": {"version": version}});
        let check = |arrays: &[serde_json::Value], digests: &[Digest]| {
            let output: String = arrays.iter().map(|array| format!("\n{array}\n")).collect();
            check_signatures(&output, "1.2.3", digests)
        };
        let (first, second) = (json!([payload(&one, "1.2.3")]), json!([payload(&two, "1.2.3")]));
        let both = [one.clone(), two.clone()];
        assert_eq!(check(std::slice::from_ref(&first), &both[..1]).unwrap(), 1);
        assert_eq!(check(&[first.clone(), second], &both).unwrap(), 2);
        assert!(check(std::slice::from_ref(&first), &both).is_err(), "one of the two is not signed");
        assert!(check(&[], &both[..1]).is_err());
        assert!(check(&[json!([])], &both[..1]).is_err());
        for other in [payload(&one, "1.2.2"), payload(&two, "1.2.3"), json!({"critical": {}})] {
            assert!(check(&[first.clone(), json!([other])], &both[..1]).is_err(), "{other}");
        }
    }
}

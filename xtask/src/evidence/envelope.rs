//! The DSSE envelope around a signed statement. One reader is used for what cosign signed and for what it accepted.
//! It accepts exactly the fields of the format, each once.

use anyhow::{Context as _, Result, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use crate::oci::exact;

/// The payload type of an attestation's envelope.
const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// <https://github.com/secure-systems-lab/dsse/blob/master/envelope.md>
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Envelope {
    payload_type: String,
    payload: String,
    signatures: Vec<Signature>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Signature {
    #[serde(rename = "keyid", default)]
    key_id: String,
    sig: String,
}

/// The contents of an envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The statement, as signed.
    pub payload: Vec<u8>,
    /// The only signature, in base64, over [`pae`] of the payload.
    pub signature: String,
}

/// Parses the envelope `bytes`, which must have exactly one signature. Only cosign can tell whether it is valid.
///
/// # Errors
/// When it is not such an envelope, or has an unknown or duplicate field.
pub fn open(bytes: &[u8]) -> Result<Opened> {
    let envelope: Envelope = exact::parse(bytes).context("it is not a DSSE envelope")?;
    ensure!(envelope.payload_type == PAYLOAD_TYPE, "the payload is `{}`", envelope.payload_type);
    let [signature] = &envelope.signatures[..] else {
        bail!("it has {} signatures: expected one", envelope.signatures.len());
    };
    // The key id is not signed, and cosign leaves it empty.
    ensure!(signature.key_id.is_empty(), "the signature names the key `{}`", signature.key_id);
    ensure!(!decode("signature", &signature.sig)?.is_empty(), "the signature is empty");
    Ok(Opened { payload: decode("payload", &envelope.payload)?, signature: signature.sig.clone() })
}

/// An envelope around `payload`, in the form of cosign 3. `signature` is in base64.
#[must_use]
pub fn seal(payload: &[u8], signature: &str) -> Vec<u8> {
    let payload = STANDARD.encode(payload);
    format!(
        r#"{{"payloadType":"{PAYLOAD_TYPE}","payload":"{payload}","signatures":[{{"sig":"{signature}"}}]}}"#
    )
    .into_bytes()
}

/// The input of an envelope's signature: the pre-authentication encoding of `payload`
/// (<https://github.com/secure-systems-lab/dsse/blob/master/protocol.md>).
#[must_use]
pub fn pae(payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {PAYLOAD_TYPE} {} ", PAYLOAD_TYPE.len(), payload.len());
    [head.as_bytes(), payload].concat()
}

/// Decodes base64. Bytes have only one canonical form, and all other forms are refused.
pub(in crate::evidence) fn decode(what: &str, text: &str) -> Result<Vec<u8>> {
    STANDARD.decode(text).with_context(|| format!("the {what} is not canonical base64"))
}

#[cfg(test)]
mod tests {
    use crate::evidence::attestation::predicate;
    use crate::oci::reference::Digest;
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde_json::{Value, json};

    const TYPE: &str = "https://slsa.dev/provenance/v1";

    fn statement() -> Value {
        json!({
            "_type": "https://in-toto.io/Statement/v0.1", "predicateType": TYPE, "predicate": {"x": 1},
            "subject": [{"name": "forge.example.org/acme/carol", "digest": {"sha256": Digest::of(b"image").hex()}}],
        })
    }

    fn envelope(statement: &str) -> Value {
        json!({
            "payloadType": "application/vnd.in-toto+json", "payload": STANDARD.encode(statement),
            "signatures": [{"keyid": "", "sig": "MEUC"}],
        })
    }

    fn is_accepted(envelope: &str) -> bool {
        predicate(envelope.as_bytes(), TYPE, &Digest::of(b"image"))
            .is_ok_and(|found| found == json!({"x": 1}))
    }

    #[test]
    fn an_envelope_of_the_right_type_and_subject_is_accepted() {
        let mut right = envelope(&statement().to_string());
        assert!(is_accepted(&right.to_string()));
        right["signatures"] = json!([{"sig": "MEUC"}]);
        assert!(is_accepted(&right.to_string()), "cosign 3 leaves the key's name out");
        let mut newer = statement();
        newer["_type"] = json!("https://in-toto.io/Statement/v1");
        assert!(is_accepted(&envelope(&newer.to_string()).to_string()));
    }

    #[test]
    fn anything_else_in_the_envelope_is_refused() {
        for (field, value) in [
            ("payloadType", json!("text/plain")),
            ("payload", json!("*")),
            ("payload", json!("e30=")),
            ("signatures", json!([])),
            ("signatures", json!(null)),
            ("signatures", json!([{"sig": "MEUC"}, {"sig": "MEUC"}])),
            ("signatures", json!([{"sig": ""}])),
            ("signatures", json!([{"sig": "MEUC", "cert": "x"}])),
            ("signatures", json!([{"sig": "MEUC", "Sig": "MEUC"}])),
            ("extra", json!(1)),
            ("Payload", json!("e30=")),
            ("PAYLOAD", envelope(&statement().to_string())["payload"].clone()),
        ] {
            let mut wrong = envelope(&statement().to_string());
            wrong[field] = value.clone();
            assert!(!is_accepted(&wrong.to_string()), "{field}: {value}");
        }
    }

    #[test]
    fn a_duplicate_field_is_refused_wherever_it_is() {
        let right = envelope(&statement().to_string()).to_string();
        let payload = format!("\"payload\":{}", envelope(&statement().to_string())["payload"]);
        for (from, to) in [
            (r#""payloadType""#, format!(r#"{payload},"payloadType""#)),
            (
                r#""payloadType""#,
                format!(r"{},{}", payload.replace("payload", "\\u0070ayload"), r#""payloadType""#),
            ),
            (r#""sig":"MEUC""#, r#""sig":"MEUC","sig":"MEUC""#.to_owned()),
            (r#""signatures":"#, r#""signatures":[],"signatures":"#.to_owned()),
        ] {
            let wrong = right.replacen(from, &to, 1);
            assert_ne!(wrong, right);
            assert!(!is_accepted(&wrong), "{wrong}");
        }
        let right = statement().to_string();
        for (from, to) in [
            (r#""x":1"#, r#""x":2,"x":1"#),
            (r#""x":1"#, r#""x":1,"X":2"#),
            (r#""predicate":"#, r#""predicate":{},"predicate":"#),
            (r#""predicate":"#, r#""Predicate":{},"predicate":"#),
            (r#""subject":"#, r#""subject":[],"subject":"#),
            (r#""sha256":"#, r#""sha256":"0","sha256":"#),
        ] {
            let wrong = right.replacen(from, to, 1);
            assert_ne!(wrong, right);
            assert!(!is_accepted(&envelope(&wrong).to_string()), "{wrong}");
        }
    }

    #[test]
    fn base64_that_is_not_canonical_is_refused() {
        let right = envelope(&statement().to_string());
        let payload = right["payload"].as_str().unwrap();
        let mut spellings =
            vec![format!("{payload}\n"), format!(" {payload}"), payload.trim_end_matches('=').to_owned()];
        spellings.push(format!("{}\n{}", &payload[..8], &payload[8..]));
        spellings.retain(|spelling| spelling != payload);
        for spelling in spellings {
            let mut wrong = right.clone();
            wrong["payload"] = json!(spelling);
            assert!(!is_accepted(&wrong.to_string()), "{spelling:?}");
        }
        for sig in ["MEUC\n", "MEU", "MEV=", "MA", "MB=="] {
            let mut wrong = right.clone();
            wrong["signatures"] = json!([{"sig": sig}]);
            assert!(!is_accepted(&wrong.to_string()), "{sig:?}");
        }
    }
}

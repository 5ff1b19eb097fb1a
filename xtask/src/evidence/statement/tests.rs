//! Signatures and attestations as cosign prints them, and what else it may print.

use super::{check_signatures, is_of_bundles, only_predicate};
use crate::evidence::provenance::BuildType;
use crate::inputs::source::Source;
use crate::oci::reference::Digest;
use crate::tool::git::Commit;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

fn envelope(predicate_type: &str, digest: &Digest) -> String {
    let statement = json!({
        "_type": "https://in-toto.io/Statement/v0.1", "predicateType": predicate_type, "subject": [{"name": "x", "digest": {"sha256": digest.hex()}}],
        "predicate": {"x": 1},
    });
    let payload = STANDARD.encode(statement.to_string());
    json!({"payloadType": "application/vnd.in-toto+json", "payload": payload, "signatures": [{"sig": "MEUC"}]})
        .to_string()
}

const COMMIT: &str = "9387d4aa6e1e5ac8b8b2f4aa68bfc7011d90fb89";

fn source() -> Source {
    let (tag, commit) = ("v1.2.3".parse().unwrap(), Commit::parse(COMMIT).unwrap());
    Source { tag, commit, time: 0, is_tagged: true }
}

fn payload(digest: &Digest, version: &str) -> serde_json::Value {
    let image = json!({"docker-manifest-digest": digest});
    let identity = json!({"docker-reference": "forge.example.org/acme/carol"});
    let critical = json!({"identity": identity, "image": image, "type": "cosign container image signature"});
    json!({"critical": critical, "optional": {"version": version}})
}

#[test]
fn exactly_one_attestation_of_the_right_type_and_subject_is_accepted() {
    let digest = Digest::of(b"image");
    let right = envelope("type", &digest);
    assert_eq!(only_predicate(&right, "type", &digest).unwrap(), json!({"x": 1}));
    assert!(only_predicate("", "type", &digest).is_err());
    assert!(only_predicate(&format!("{right}\n{right}"), "type", &digest).is_err());
    assert!(only_predicate(&envelope("other", &digest), "type", &digest).is_err());
    assert!(only_predicate(&envelope("type", &Digest::of(b"other")), "type", &digest).is_err());
    for more in [r#"{"Payload":"e30=","#, r#"{"payload":"e30=","#, r#"{"note":"x","#] {
        assert!(only_predicate(&right.replacen('{', more, 1), "type", &digest).is_err(), "{more}");
    }
}

#[test]
fn a_signature_with_duplicate_or_unknown_fields_is_refused() {
    let digest = Digest::of(b"one");
    let payload = json!([payload(&digest, "1.2.3")]);
    let check = |output: &str| check_signatures(output, &source(), None, None, std::slice::from_ref(&digest));
    let right = payload.to_string();
    assert_eq!(check(&right).unwrap(), 1);
    for (from, to) in [
        (r#""version""#, r#""version":"1.2.2","version""#),
        (r#""version""#, r#""Version":"1.2.2","version""#),
        (r#""docker-manifest-digest""#, r#""docker-manifest-digest":"x","docker-manifest-digest""#),
        (r#""image""#, r#""Image":{},"image""#),
        (r#""image""#, r#""note":"x","image""#),
        (r#""version""#, r#""note":"x","version""#),
        (r#""version""#, r#""bundle":null,"version""#),
        (r#"cosign container image signature"#, "signature"),
    ] {
        let wrong = right.replacen(from, to, 1);
        assert_ne!(wrong, right);
        assert!(check(&wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_signature_that_cosign_read_from_a_bundle_is_recognized_and_refused() {
    let digest = Digest::of(b"one");
    let legacy = payload(&digest, "1.2.3");
    let mut of_bundle = legacy.clone();
    of_bundle["critical"]["type"] = json!("https://sigstore.dev/cosign/sign/v1");
    for (printed, expected) in
        [(json!([legacy]), false), (json!([of_bundle]), true), (json!([legacy, of_bundle]), true)]
    {
        let (printed, digests) = (printed.to_string(), std::slice::from_ref(&digest));
        assert_eq!(is_of_bundles(&printed), expected, "{printed}");
        assert_eq!(
            check_signatures(&printed, &source(), None, None, digests).is_err(),
            expected,
            "{printed}"
        );
    }
}

#[test]
fn a_signature_must_name_the_repository_that_the_image_is_read_from() {
    let digest = Digest::of(b"one");
    let output = json!([payload(&digest, "1.2.3")]).to_string();
    let check = |name: Option<&str>| {
        let image = name.map(|name| name.parse().unwrap());
        check_signatures(&output, &source(), image.as_ref(), None, std::slice::from_ref(&digest)).is_ok()
    };
    assert!(check(None), "the image is in a mirror");
    assert!(check(Some("forge.example.org/acme/carol")));
    assert!(!check(Some("forge.example.org/acme/other")));
}

#[test]
fn each_digest_needs_a_signature_and_every_signature_must_fit_the_release() {
    let (one, two) = (Digest::of(b"one"), Digest::of(b"two"));
    let check = |arrays: &[serde_json::Value], digests: &[Digest]| {
        let output: String = arrays.iter().map(|array| format!("\n{array}\n")).collect();
        check_signatures(&output, &source(), None, Some(BuildType::V1), digests)
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

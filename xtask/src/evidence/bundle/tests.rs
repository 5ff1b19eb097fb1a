//! Compares bundles with one that cosign 3.1.3 wrote.

use serde_json::{Value, json};

use super::{Bundle, Hint, Of, Subject, entries, index, is_attestation, layer_of, named, statement};
use crate::evidence::attached::Attested;
use crate::evidence::envelope::{open, pae, seal};
use crate::evidence::provenance::BuildType;
use crate::evidence::signed_as::SignedAs;
use crate::inputs::keys::PublicKey;
use crate::inputs::source::Source;
use crate::oci::media_type::INDEX;
use crate::oci::reference::Digest;
use crate::oci::registry::MAX_REFERRERS;
use crate::tool::git::Commit;

const KEY: &str = "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAECRUo21Yf0U4/VBrydTppsu2jJdB5\n\
    y7Xch49SzKsXrZTfVWmrg3zXBH1jKEhxCdX0AfP1IuXkVYv/wIl/v6pnEw==\n-----END PUBLIC KEY-----\n";

fn hint() -> Hint {
    Hint::of(&PublicKey::parse(KEY.as_bytes()).unwrap())
}

fn source(tag: &str) -> Source {
    let commit = Commit::parse("9387d4aa6e1e5ac8b8b2f4aa68bfc7011d90fb89").unwrap();
    Source { tag: tag.parse().unwrap(), commit, time: 0, is_tagged: true }
}

fn signature(digest: &Digest, build_type: BuildType) -> Bundle {
    Bundle::of_signature(digest, SignedAs::of(&source("v1.0.0"), build_type), "MEUC", &hint())
}

fn attestation(predicate_type: &str, digest: &Digest) -> Vec<u8> {
    let statement = json!({
        "_type": "https://in-toto.io/Statement/v0.1", "predicateType": predicate_type, "predicate": {},
        "subject": [{"name": "x", "digest": {"sha256": digest.hex()}}],
    });
    seal(statement.to_string().as_bytes(), "MEUC")
}

fn value(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

/// Output of `sign --upload=false --bundle -a version=1.0.0` of cosign 3.1.3 for that key, without white space.
#[test]
fn the_bundle_of_a_signature_is_what_cosign_3_writes() {
    let digest = "sha256:4820576ba1719172865c07b9c752056d0c92eae124be47a8207a88266fbeb217".parse().unwrap();
    let bundle = signature(&digest, BuildType::V1);
    let said = value(&bundle.bytes);
    assert_eq!(said["mediaType"], "application/vnd.dev.sigstore.bundle.v0.3+json");
    let material = json!({"publicKey": {"hint": "sVIYXZm9sqEwrctsAwF5571/qiHs9hnyXH9u7qexbMs="}});
    assert_eq!(said["verificationMaterial"], material);
    assert_eq!(said["dsseEnvelope"], value(&bundle.envelope));
    let expected = json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"digest": {"sha256": digest.hex()}, "annotations": {"version": "1.0.0"}}],
        "predicateType": "https://sigstore.dev/cosign/sign/v1", "predicate": {},
    });
    assert_eq!(value(&open(&bundle.envelope).unwrap().payload), expected);
    assert_eq!(pae(b"x"), b"DSSEv1 28 application/vnd.in-toto+json 1 x");
}

#[test]
fn every_bundle_is_read_back_and_its_manifest_recognized() {
    let (index_bytes, hint) = (br#"{"mediaType":"application/vnd.oci.image.index.v1+json"}"#, hint());
    let subject = Subject::of(index_bytes).unwrap();
    let digest = Digest::of(index_bytes);
    assert_eq!(subject.digest(), &digest);
    let bundles = [signature(&digest, BuildType::V1), signature(&digest, BuildType::V2)];
    let attested = Attested::ALL
        .map(|of| Bundle::new(Of::Attestation(of), &attestation(of.predicate_type(), &digest), &hint));
    let bundles: Vec<_> = bundles.into_iter().chain(attested).collect();
    let mut manifests = Vec::new();
    for bundle in &bundles {
        assert_eq!(&Bundle::parse(&bundle.bytes, &digest, &source("v1.0.0"), &hint).unwrap(), bundle);
        let manifest = bundle.manifest(&subject).unwrap();
        assert!(bundle.check_manifest(&manifest, &subject).is_ok());
        assert_eq!(layer_of(&manifest).unwrap(), Digest::of(&bundle.bytes));
        let said = value(&manifest);
        let size = index_bytes.len();
        assert_eq!(
            said["subject"],
            json!({"mediaType": "application/vnd.oci.image.index.v1+json", "digest": digest, "size": size})
        );
        assert_eq!(said["artifactType"], said["layers"][0]["mediaType"]);
        for (pointer, other) in
            [("/subject/size", json!(1)), ("/note", json!("x")), ("/layers/0/size", json!(1))]
        {
            let mut changed = said.clone();
            match changed.pointer_mut(pointer) {
                Some(field) => *field = other,
                None => changed["note"] = other,
            }
            assert!(bundle.check_manifest(changed.to_string().as_bytes(), &subject).is_err(), "{pointer}");
        }
        manifests.push(Digest::of(&manifest));
    }
    assert_eq!(named(&index(&bundles, &subject).unwrap()).unwrap(), manifests);
    let parse = |digest: &Digest, tag: &str| Bundle::parse(&bundles[0].bytes, digest, &source(tag), &hint);
    assert!(parse(&Digest::of(b"other"), "v1.0.0").is_err(), "it is of another image");
    assert!(parse(&digest, "v1.0.1").is_err(), "it is of another version");
}

#[test]
fn a_bundle_that_differs_in_any_way_is_refused() {
    let (digest, hint) = (Digest::of(b"image"), hint());
    let right = String::from_utf8(signature(&digest, BuildType::V2).bytes).unwrap();
    let parse = |text: &str| Bundle::parse(text.as_bytes(), &digest, &source("v1.0.0"), &hint);
    assert!(parse(&right).is_ok());
    let other_statement = seal(
        &[statement(&digest, SignedAs::of(&source("v1.0.0"), BuildType::V2)), b" ".to_vec()].concat(),
        "MEUC",
    );
    let other_type = attestation("https://example.org/approved", &digest);
    let with = |envelope: &[u8]| {
        String::from_utf8(Bundle::new(Of::Attestation(Attested::Sbom), envelope, &hint).bytes).unwrap()
    };
    for wrong in [
        right.replacen("v0.3", "v0.2", 1),
        right.replacen(r#""hint":""#, r#""hint":"A"#, 1),
        right.replacen(r#"{"mediaType""#, r#"{"note":1,"mediaType""#, 1),
        right.replacen(r#""dsseEnvelope""#, r#""messageSignature":{},"dsseEnvelope""#, 1),
        right.replacen(r#"{"payloadType""#, r#"{"payload":"e30=","payloadType""#, 1),
        right.replacen(r#"{"payloadType""#, r#"{"Payload":"e30=","payloadType""#, 1),
        right.replacen(r#"[{"sig":"MEUC"}]"#, r#"[{"sig":"MEUC"},{"sig":"MEUC"}]"#, 1),
        right.replacen("MEUC", "MEV=", 1),
        format!("{}, \"dsseEnvelope\":{{}}}}", right.strip_suffix('}').unwrap()),
        format!("{right} "),
        format!("{right}{right}"),
        String::new(),
        with(&other_statement),
        with(&other_type),
    ] {
        assert_ne!(wrong, right);
        assert!(parse(&wrong).is_err(), "{wrong}");
    }
}

#[test]
fn only_our_attestations_about_this_image_are_recognized_whatever_the_key() {
    let digest = Digest::of(b"image");
    let another_key = hint().0.replace('s', "t");
    let of =
        |envelope: &[u8], hint: &Hint| Bundle::new(Of::Attestation(Attested::Sbom), envelope, hint).bytes;
    for attested in Attested::ALL {
        let envelope = attestation(attested.predicate_type(), &digest);
        assert!(is_attestation(&of(&envelope, &hint()), &digest));
        assert!(is_attestation(&of(&envelope, &Hint(another_key.clone())), &digest), "by any key");
        assert!(!is_attestation(&of(&envelope, &hint()), &Digest::of(b"other")), "of another image");
        assert!(!is_attestation(&envelope, &digest), "not a bundle");
    }
    let other_type = attestation("https://example.org/approved", &digest);
    assert!(!is_attestation(&of(&other_type, &hint()), &digest));
    assert!(!is_attestation(&signature(&digest, BuildType::V2).bytes, &digest));
    assert!(!is_attestation(b"<html>", &digest));
}

#[test]
fn an_index_that_names_more_manifests_than_the_limit_is_refused() {
    let index = |count: usize| {
        let manifests = vec![json!({"digest": Digest::of(b"manifest")}); count];
        json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}).to_string()
    };
    let whole = index(MAX_REFERRERS);
    assert_eq!(entries(whole.as_bytes()).unwrap().len(), MAX_REFERRERS);
    assert_eq!(named(whole.as_bytes()).unwrap().len(), MAX_REFERRERS);
    let more = index(MAX_REFERRERS + 1);
    assert!(entries(more.as_bytes()).is_err() && named(more.as_bytes()).is_err());
}

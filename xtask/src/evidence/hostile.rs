//! Random and mutated evidence: what a registry and a forge serve, and cosign's output for it.

use serde_json::Value;

use super::assets::read_signature;
use super::attached::Attested;
use super::bundle::{Bundle, Hint, Of, Subject, entries, is_attestation, layer_of, named};
use super::page::{Format, ends_with, generated_part, has_image_part, pulled};
use super::provenance::Provenance;
use super::statement::{envelopes, is_of_bundles, only_predicate, signatures};
use super::{envelope, sbom};
use crate::inputs::keys::PublicKey;
use crate::inputs::source::Source;
use crate::oci::exact;
use crate::oci::reference::Digest;
use crate::process::hostile::{file, readers};
use crate::tool::git::Commit;

/// A file of the release that was recorded last.
fn recorded(name: &str) -> Vec<u8> {
    file(&format!("xtask/testdata/released/3/{name}"))
}

fn of_release(field: &str) -> Value {
    let release: Value = serde_json::from_slice(&recorded("release.json")).unwrap();
    release[field].clone()
}

fn digest() -> Digest {
    of_release("digest").as_str().unwrap().parse().unwrap()
}

fn source() -> Source {
    let commit = Commit::parse(of_release("commit").as_str().unwrap()).unwrap();
    Source { tag: "v0.1.0".parse().unwrap(), commit, time: 0, is_tagged: true }
}

fn hint() -> Hint {
    Hint::of(&PublicKey::parse(&recorded("commit/cosign.pub")).unwrap())
}

fn line(name: &str) -> Vec<u8> {
    String::from_utf8(recorded(name)).unwrap().lines().next().unwrap().as_bytes().to_vec()
}

fn page() -> Vec<u8> {
    let page = of_release("page").to_string();
    let Value::Object(fields) = of_release("page") else { return page.into_bytes() };
    let body = fields.get("body").and_then(Value::as_str).unwrap_or(&page);
    body.as_bytes().to_vec()
}

const JSON: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\"payload\": \"",
    "\"payloadType\": \"",
    "\"signatures\": [{\"sig\": \"",
    "\"Payload\": \"",
    "\"subject\": [{\"digest\": {\"sha256\": \"",
    "\"predicate\": {",
    "\"predicateType\": \"",
    "\\u0000",
    "\\ud800",
    "null",
    "1e999",
    "=",
    "e30=",
    "\n",
    "\"manifests\": [",
    "\"layers\": [",
    "\"components\": [",
];

readers! {
    envelopes_of_attestations: {
        seeds: vec![line("cosign/provenance"), line("cosign/sbom")],
        words: JSON,
        read: |bytes| {
            let Ok(opened) = envelope::open(bytes) else { return };
            let again = envelope::open(&envelope::seal(&opened.payload, &opened.signature)).unwrap();
            assert_eq!((again.payload, again.signature), (opened.payload, opened.signature));
        },
    }
    bundles: {
        seeds: vec![Bundle::new(Of::Attestation(Attested::Provenance), &line("cosign/provenance"), &hint()).bytes],
        words: JSON,
        read: |bytes| {
            let is_of_ours = is_attestation(bytes, &digest());
            assert!(!is_of_ours || exact::value(bytes).is_ok());
            let Ok(bundle) = Bundle::parse(bytes, &digest(), &source(), &hint()) else { return };
            assert_eq!(bundle.bytes, bytes);
        },
    }
    indexes_of_bundles: {
        seeds: vec![br#"{"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": []}"#.to_vec()],
        words: JSON,
        read: |bytes| {
            drop(entries(bytes));
            drop(named(bytes));
            drop(layer_of(bytes));
            drop(Subject::of(bytes));
        },
    }
    output_of_cosign: {
        seeds: ["signature", "provenance", "sbom"].map(|name| recorded(&format!("cosign/{name}"))).into(),
        words: JSON,
        read: |bytes| {
            let text = String::from_utf8_lossy(bytes);
            drop(signatures(&text));
            assert!(!is_of_bundles(&text) || !text.is_empty());
            assert!(envelopes(&text).all(|envelope| text.contains(envelope)));
            drop(only_predicate(&text, "https://slsa.dev/provenance/v1", &digest()));
        },
    }
    sboms: {
        seeds: vec![serde_json::to_vec(&only_predicate(&String::from_utf8(recorded("cosign/sbom")).unwrap(), "https://cyclonedx.org/bom", &digest()).unwrap()).unwrap()],
        words: JSON,
        read: |bytes| {
            let Ok(found) = exact::value(bytes) else { return };
            assert_eq!(sbom::difference(&found, &found), None);
            drop(sbom::difference(&found, &Value::Null));
            drop(sbom::digest(&found));
        },
    }
    provenances: {
        seeds: vec![serde_json::to_vec(&only_predicate(&String::from_utf8(recorded("cosign/provenance")).unwrap(), "https://slsa.dev/provenance/v1", &digest()).unwrap()).unwrap()],
        words: JSON,
        read: |bytes| {
            let Ok(found) = exact::value(bytes) else { return };
            let Ok(read) = Provenance::read(&found) else { return };
            assert_eq!(serde_json::to_value(&read).unwrap(), found);
            drop(read.smoked(&["linux/amd64".to_owned()]));
        },
    }
    signatures_of_files: {
        seeds: vec![recorded("assets/SHA256SUMS.sig")],
        words: &["=", "==", "A", "/", "+", "-", "_", "\n", " ", "\0"],
        read: |bytes| assert!(read_signature(bytes).is_ok_and(|text| text.as_bytes() == bytes) || read_signature(bytes).is_err()),
    }
    pages: {
        seeds: vec![page(), page().repeat(2)],
        words: &["## Image\n", "## ", "<!-- page format 2 -->", "<!-- page format 4294967296 -->", "<!--", "-->", "```\n", "`", "sha256:", "\r\n", "\n", "docker pull ", "cosign verify ", "| ", "@", "\u{202e}"],
        read: |bytes| {
            let text = String::from_utf8_lossy(bytes);
            assert!(text.ends_with(generated_part(&text)));
            assert!(text.contains("\r\n") || ends_with(&text, generated_part(&text)));
            assert!(has_image_part(&text) || pulled(&text).is_none());
            assert!(pulled(&text).is_none_or(|pulled| text.contains(&pulled)));
            assert!(text.ends_with(Format::below(&text)));
            drop((Format::of(&text), Format::is_marked(&text)));
        },
    }
}

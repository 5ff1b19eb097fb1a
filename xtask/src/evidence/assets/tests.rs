//! The files of a page: their contents, and the changes after which a page has them.

use std::collections::BTreeMap;

use super::{
    Asset, Change, Listed, SIGNATURE, SUMS, changes, check, documents, names, read_signature, signed,
};
use crate::evidence::attached::Attested;
use crate::evidence::attestation::statement;
use crate::evidence::bundle::Hint;
use crate::evidence::envelope::seal;
use crate::inputs::keys::PublicKey;
use crate::oci::reference::Digest;

const KEY: &str = "-----BEGIN PUBLIC KEY-----\neA==\n-----END PUBLIC KEY-----\n";

fn envelope(of: Attested, predicate: &str) -> (Attested, Vec<u8>) {
    let image = "forge.example.org/acme/carol".parse().unwrap();
    let digest = Digest::of(b"image");
    let statement = statement(of.predicate_type(), predicate.as_bytes(), &image, &digest, &[]).unwrap();
    (of, seal(&statement, "MEUC"))
}

fn all() -> Vec<Asset> {
    let tag = "v1.2.3".parse().unwrap();
    let envelopes = [
        envelope(Attested::Provenance, r#"{"x": 1}"#),
        envelope(Attested::Sbom, r#"{"b": 2, "a": 1}"#),
        envelope(Attested::TestResult, "{}"),
    ];
    let documents = documents(&tag, &Digest::of(b"image"), &envelopes).unwrap();
    let sums = documents.last().unwrap().bytes.clone();
    documents
        .into_iter()
        .chain(signed(&sums, "MEUC", &Hint::of(&PublicKey::parse(KEY.as_bytes()).unwrap())))
        .collect()
}

#[test]
fn attestations_become_files_and_their_digests_are_in_the_form_of_sha256sum() {
    let assets = all();
    let mut found: Vec<_> = assets.iter().map(|asset| asset.name.clone()).collect();
    let mut expected = names(&"v1.2.3".parse().unwrap());
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
    let of = |name: &str| &assets.iter().find(|asset| asset.name == name).unwrap().bytes;
    let sbom = b"{\n  \"a\": 1,\n  \"b\": 2\n}\n";
    assert_eq!(of("sbom-v1.2.3.cdx.json"), sbom, "the bytes whose digest is in the provenance");
    let sums = String::from_utf8(of(SUMS).clone()).unwrap();
    let line = format!("{}  sbom-v1.2.3.cdx.json\n", Digest::of(sbom).hex());
    assert!(sums.ends_with(&line) && sums.lines().count() == 4, "{sums}");
}

#[test]
fn changes_leave_each_wanted_file_once_and_other_files_alone() {
    let [a, b] = ["a", "b"].map(|name| Asset::new(name, name));
    let (wanted, listed) =
        ([a.clone(), b.clone()], |id, name: &str| Listed { id, name: name.into(), size: 1 });
    let bytes = |pairs: &[(&str, &str)]| -> BTreeMap<String, Vec<u8>> {
        pairs.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec())).collect()
    };
    let right = bytes(&[("a", "a"), ("b", "b")]);
    assert_eq!(changes(&wanted, &[], &bytes(&[])), [Change::Upload(&a), Change::Upload(&b)]);
    let page = [listed(1, "a"), listed(2, "b"), listed(3, "picture.png"), listed(4, "picture.png")];
    assert_eq!(changes(&wanted, &page, &right), []);
    let other = bytes(&[("a", "x"), ("b", "b")]);
    assert_eq!(changes(&wanted, &page, &other), [Change::Upload(&a)], "the wrong file stays until then");
    assert_eq!(changes(&wanted, &page, &bytes(&[("b", "b")])), [Change::Upload(&a)], "it could not be read");
    // Two runs that see the same files keep the same one, whatever its contents. The next comparison checks it.
    let twice = [listed(7, "a"), listed(5, "a"), listed(6, "b")];
    assert_eq!(changes(&wanted, &twice, &other), [Change::Remove(&twice[1])]);
}

#[test]
fn files_that_do_not_follow_from_the_attestations_are_refused() {
    let tag = "v1.2.3".parse().unwrap();
    let hint = Hint::of(&PublicKey::parse(KEY.as_bytes()).unwrap());
    let honest: BTreeMap<_, _> = all().into_iter().map(|asset| (asset.name, asset.bytes)).collect();
    let check =
        |bytes: &BTreeMap<String, Vec<u8>>| check(&tag, &Digest::of(b"image"), &Attested::ALL, bytes, &hint);
    assert_eq!(check(&honest).unwrap(), 7);
    for name in honest.keys() {
        let mut without = honest.clone();
        without.remove(name);
        assert!(check(&without).is_err(), "without {name}");
        let mut changed = honest.clone();
        changed.get_mut(name).unwrap().push(b'\n');
        assert!(check(&changed).is_err(), "{name} with another line");
    }
    let mut more = honest.clone();
    more.insert("other-v1.2.3.intoto.jsonl".to_owned(), b"{}".to_vec());
    assert!(check(&more).is_err());
}

#[test]
fn a_signature_is_canonical_base64_and_nothing_else() {
    assert_eq!(read_signature(b"MEUC").unwrap(), "MEUC");
    for bad in [&b""[..], b"MEUC\n", b" MEUC", b"MEU", b"MEV=", b"\xff", b"*"] {
        assert!(read_signature(bad).is_err(), "{bad:?} of {SIGNATURE}");
    }
}

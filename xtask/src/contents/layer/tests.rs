//! Small layers.

use super::super::archive::tests::entry;
pub(crate) use super::super::archive::tests::{archive, file};
use super::super::elf::{Libc, tests as elf};
use super::super::facts::{Fact, LayerFacts};
use super::{Compression, read};
use crate::oci::reference::Digest;
use std::io::Write as _;

pub(crate) fn facts(entries: &[Vec<u8>]) -> LayerFacts {
    read(archive(entries).as_slice(), Compression::None).unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn a_layer_is_the_digest_of_its_uncompressed_bytes_and_what_is_in_it() {
    let tar = archive(&[
        file("app/node_modules/a/package.json", br#"{"name": "a", "version": "1.0.0"}"#),
        file("app/node_modules/a/dist/package.json", br#"{"type": "module"}"#),
        file("app/node_modules/a/x.node", &elf::file(62, true, false, "", "libc.so.6")),
        entry(b'2', "app/node_modules/@acme/core", "../../packages/core", b""),
        file("lib64/ld-linux-x86-64.so.2", &elf::file(62, true, false, "", "")),
        entry(b'2', "lib/ld-musl-x86_64.so.1", "libc.so", b""),
        file("etc/os-release", b"ID=debian\nVERSION_ID=\"12\"\n"),
        file("app/.wh.old", b""),
        file("app/src/.wh..wh..opq", b""),
        entry(b'1', "app/same.node", "app/node_modules/a/x.node", b""),
        file("app/readme", b"\x7fELF"),
    ]);
    let plain = read(tar.as_slice(), Compression::None).unwrap();
    assert_eq!((&plain.diff_id, plain.size), (&Digest::of(&tar), tar.len() as u64));
    assert_eq!(read(gzip(&tar).as_slice(), Compression::Gzip).unwrap(), plain);
    let names: Vec<_> = plain.facts.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "app/node_modules/@acme/core",
            "app/node_modules/a/package.json",
            "app/node_modules/a/x.node",
            "etc/os-release",
            "lib/ld-musl-x86_64.so.1",
            "lib64/ld-linux-x86-64.so.2",
        ]
    );
    assert_eq!(plain.facts["lib64/ld-linux-x86-64.so.2"], Fact::Loader(Libc::Glibc));
    assert_eq!(plain.facts["lib/ld-musl-x86_64.so.1"], Fact::Loader(Libc::Musl));
    assert_eq!(plain.others, ["app/node_modules/a/dist/package.json", "app/readme"]);
    assert_eq!((plain.whiteouts, plain.opaque), (vec!["app/old".to_owned()], vec!["app/src".to_owned()]));
    assert_eq!(plain.hard_links["app/same.node"], "app/node_modules/a/x.node");
}

#[test]
fn a_layer_that_is_cut_off_or_continued_is_refused() {
    let whole = gzip(&archive(&[file("a", &[7; 5000])]));
    for length in [0, 10, whole.len() / 2, whole.len() - 1] {
        assert!(read(&whole[..length], Compression::Gzip).is_err(), "{length} of {}", whole.len());
    }
    let more = [whole.as_slice(), b"garbage"].concat();
    assert!(read(more.as_slice(), Compression::Gzip).is_err());
    let second = [whole.as_slice(), &gzip(&archive(&[file("b", b"")]))].concat();
    assert!(read(second.as_slice(), Compression::Gzip).is_err(), "another archive behind the first");
    let mut changed = whole;
    let last = changed.len() - 5;
    changed[last] ^= 1;
    assert!(read(changed.as_slice(), Compression::Gzip).is_err(), "a wrong checksum");
}

#[test]
fn a_list_that_cannot_be_read_is_refused_and_a_broken_manifest_of_a_test_is_not() {
    let read = |entries: &[Vec<u8>]| read(archive(entries).as_slice(), Compression::None);
    let error = format!("{:#}", read(&[file("var/lib/dpkg/status", b"Package: x\n")]).unwrap_err());
    assert!(error.contains("`var/lib/dpkg/status`: `x` has no version"), "{error}");
    let facts = read(&[file("app/node_modules/a/test/node_modules/b/package.json", b"{")]).unwrap();
    assert!(facts.facts.is_empty());
    let huge = vec![b' '; 5 << 20];
    assert!(read(&[file("app/node_modules/a/package.json", &huge)]).is_err());
    assert!(read(&[file("app/package.json", &huge)]).is_ok());
}

#[test]
fn media_types_say_how_to_unpack_and_zstd_says_what_to_do() {
    assert_eq!(Compression::of("application/vnd.oci.image.layer.v1.tar").unwrap(), Compression::None);
    let error = Compression::of("application/vnd.oci.image.layer.v1.tar+zstd").unwrap_err();
    assert!(error.to_string().contains("`compression=gzip`"), "{error}");
}

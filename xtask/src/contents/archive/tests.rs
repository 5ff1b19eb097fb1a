//! Small tar files, valid and refused ones.

use super::{Archive, Entry, Kind};
use anyhow::Result;
use proptest::prelude::*;

/// One entry of a tar file, with a header in POSIX's form.
pub(crate) fn entry(kind: u8, path: &str, link: &str, content: &[u8]) -> Vec<u8> {
    changed(kind, path, link, content, |_| {})
}

/// Like [`entry`], after `change` changed its header.
fn changed(kind: u8, path: &str, link: &str, content: &[u8], change: fn(&mut [u8; 512])) -> Vec<u8> {
    let mut block = [0u8; 512];
    block[..path.len()].copy_from_slice(path.as_bytes());
    block[100..108].copy_from_slice(b"0000755\0");
    block[124..136].copy_from_slice(format!("{:011o}\0", content.len()).as_bytes());
    block[156] = kind;
    block[157..157 + link.len()].copy_from_slice(link.as_bytes());
    block[257..265].copy_from_slice(b"ustar\x0000");
    change(&mut block);
    block[148..156].fill(b' ');
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let mut bytes = [&block, content].concat();
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

pub(crate) fn file(path: &str, content: &[u8]) -> Vec<u8> {
    entry(b'0', path, "", content)
}

pub(crate) fn pax(key: &str, value: &str) -> Vec<u8> {
    let rest = format!(" {key}={value}\n");
    let mut length = rest.len() + 2;
    if format!("{length}{rest}").len() != length {
        length = rest.len() + length.to_string().len();
        length += usize::from(format!("{length}{rest}").len() != length);
    }
    entry(b'x', "PaxHeaders", "", format!("{length}{rest}").as_bytes())
}

pub(crate) fn archive(entries: &[Vec<u8>]) -> Vec<u8> {
    [entries.concat(), vec![0; 1024]].concat()
}

fn entries(bytes: &[u8]) -> Result<Vec<Entry>> {
    let mut archive = Archive::new(bytes);
    let mut found = Vec::new();
    while let Some(entry) = archive.next()? {
        found.push(entry);
    }
    Ok(found)
}

fn paths(parts: &[Vec<u8>]) -> Result<Vec<String>> {
    Ok(entries(&archive(parts))?.into_iter().map(|entry| entry.path).collect())
}

#[test]
fn entries_have_their_kind_and_one_form_of_path() {
    let bytes = archive(&[
        entry(b'5', "./", "", b""),
        entry(b'5', "app/", "", b""),
        file("/app//./a.txt", b"content"),
        entry(b'2', "app/link", "../a", b""),
        entry(b'1', "app/same", "app/a.txt", b""),
        entry(b'3', "dev/null", "", b""),
    ]);
    let found = entries(&bytes).unwrap();
    let paths: Vec<_> = found.iter().map(|entry| entry.path.as_str()).collect();
    assert_eq!(paths, ["", "app", "app/a.txt", "app/link", "app/same", "dev/null"]);
    assert_eq!(found[2].size, 7);
    assert_eq!(found[3].kind, Kind::Symlink("../a".to_owned()));
    assert_eq!(found[4].kind, Kind::HardLink("app/a.txt".to_owned()));
    assert_eq!(found[5].kind, Kind::Special);
}

#[test]
fn long_names_are_read_from_gnu_and_pax_headers() {
    let long = format!("app/{}", "d/".repeat(200));
    let gnu = entry(b'L', "././@LongLink", "", format!("{long}x\0").as_bytes());
    assert_eq!(paths(&[gnu, file("cut", b"1")]).unwrap(), [format!("{long}x")]);
    assert_eq!(paths(&[pax("path", &format!("{long}y")), file("cut", b"1")]).unwrap(), [format!("{long}y")]);
    assert_eq!(paths(&[pax("SCHILY.xattr.user.a", "1\n2"), file("a", b"1")]).unwrap(), ["a"]);
    assert_eq!(paths(&[pax("path", "b"), file("a", b""), file("c", b"")]).unwrap(), ["b", "c"], "once");
    assert!(paths(&[pax("path", "b\0c"), file("a", b"")]).is_err());
}

/// The bytes of a pax header with one record.
fn record(key: &str, value: &str) -> Vec<u8> {
    pax(key, value)[512..].split(|byte| *byte == 0).next().unwrap().to_vec()
}

/// Several records in one pax header.
fn records(all: &[(&str, &str)]) -> Vec<u8> {
    let records: Vec<_> = all.iter().flat_map(|(key, value)| record(key, value)).collect();
    entry(b'x', "PaxHeaders", "", &records)
}

#[test]
fn what_readers_interpret_differently_is_read_as_go_reads_it_and_reported() {
    let long = |name: &str| entry(b'L', "././@LongLink", "", format!("{name}\0").as_bytes());
    let long_link = |name: &str| entry(b'K', "././@LongLink", "", format!("{name}\0").as_bytes());
    let (a, global) = (|| file("a", b""), || entry(b'g', "pax_global_header", "", &record("comment", "x")));
    type Case<'a> = (&'a [Vec<u8>], &'a [&'a str], Option<&'a str>);
    let cases: [Case<'_>; 26] = [
        (&[a()], &["a"], None),
        (&[pax("path", "x"), a()], &["x"], None),
        (&[long("x"), long_link("y"), a()], &["x"], None),
        (
            &[records(&[("path", "x"), ("mtime", "1"), ("SCHILY.xattr.security.capability", "y")]), a()],
            &["x"],
            None,
        ),
        (&[long("x"), pax("path", "y"), a()], &["x"], Some("several")),
        (&[pax("path", "y"), long("x"), a()], &["x"], Some("several")),
        (&[pax("mtime", "1"), long_link("x"), a()], &["a"], Some("several")),
        (&[pax("path", "x"), pax("mtime", "1"), a()], &["a"], Some("several")),
        (&[long("x"), long("y"), a()], &["y"], Some("several")),
        (&[long_link("x"), long_link("y"), a()], &["a"], Some("several")),
        (&[records(&[("path", "x"), ("path", "y")]), a()], &["y"], Some("a key twice")),
        (&[pax("path", ""), a()], &["a"], Some("empty")),
        (&[pax("linkpath", ""), a()], &["a"], Some("empty")),
        (&[pax("size", ""), a()], &["a"], Some("empty")),
        (&[long(""), a()], &["a"], Some("empty")),
        (&[long_link(""), a()], &["a"], Some("empty")),
        (&[global(), a()], &["", "a"], Some("global")),
        (&[long("x"), global(), a()], &["", "a"], Some("global")),
        (&[pax("hdrcharset", "BINARY"), a()], &["a"], Some("do not write")),
        (&[pax("SCHILY.realsize", "1"), a()], &["a"], Some("do not write")),
        (&[pax("SCHILY.xattr.trusted.overlay.redirect", "/x"), a()], &["a"], Some("do not write")),
        (&[file("a/", b"1")], &["a"], Some("like a directory")),
        (&[entry(0, "a/", "", b"")], &["a"], None),
        (&[entry(b'3', "a", "", b""), entry(b'4', "./dev/b", "", b"")], &["a", "dev/b"], Some("a device")),
        (&[changed(b'0', "a", "", b"", |block| block[1] = 0xff)], &["a\u{fffd}"], Some("not UTF-8")),
        (&[changed(b'2', "a", "", b"", |block| block[157] = 0xff)], &["a"], Some("not UTF-8")),
    ];
    for (parts, paths, why) in cases {
        let found = entries(&archive(parts)).unwrap();
        assert_eq!(found.iter().map(|entry| entry.path.as_str()).collect::<Vec<_>>(), paths);
        let odd = found.iter().find_map(|entry| entry.odd);
        assert_eq!(odd.is_some(), why.is_some(), "{paths:?}: {odd:?}");
        assert!(odd.is_none_or(|odd| odd.contains(why.unwrap())), "expected `{why:?}`: {odd:?}");
    }
}

#[test]
fn a_header_has_the_fields_of_its_format() {
    fn prefix(block: &mut [u8; 512]) {
        block[345..349].copy_from_slice(b"some");
    }
    let gnu = |block: &mut [u8; 512]| {
        prefix(block);
        block[257..265].copy_from_slice(b"ustar  \0");
    };
    let star = |block: &mut [u8; 512]| {
        block[345..500].fill(b'p');
        block[508..].copy_from_slice(b"tar\0");
    };
    let of = |change| entries(&archive(&[changed(b'0', "a", "", b"", change)])).unwrap().remove(0);
    assert_eq!((of(prefix).path.as_str(), of(prefix).odd), ("some/a", None));
    assert_eq!((of(gnu).path.as_str(), of(gnu).odd.is_some()), ("a", true));
    assert_eq!((of(star).path, of(star).odd.is_some()), (format!("{}/a", "p".repeat(131)), true));
    // Blanks and zero bytes around a number are filler. The content of the file must not be read as another entry.
    let hidden = file("b", b"");
    for filler in [b'\0', b' '] {
        let mut bytes = file("a", &hidden);
        bytes[124] = filler;
        bytes[148..156].fill(b' ');
        let sum: u32 = bytes[..512].iter().map(|byte| u32::from(*byte)).sum();
        bytes[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        assert_eq!(paths(&[bytes]).unwrap(), ["a"]);
    }
}

#[test]
fn binary_numbers_are_read_in_fields_of_every_width() {
    // GNU's tar writes an owner above 2097151 like this.
    fn owner(block: &mut [u8; 512]) {
        block[108..116].copy_from_slice(&[0x80, 0, 0, 0, 0, 0x20, 0, 1]);
    }
    fn size(block: &mut [u8; 512]) {
        block[124..136].copy_from_slice(&[0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7]);
    }
    fn negative(block: &mut [u8; 512]) {
        block[108..116].fill(0xff);
    }
    let of =
        |change, content| entries(&archive(&[changed(b'0', "a", "", content, change)])).unwrap().remove(0);
    assert_eq!(of(owner, b"").rights.owner, 0x20_0001);
    assert_eq!(of(size, b"content").size, 7);
    assert_eq!(of(negative, b"").rights.owner, 0);
}

#[test]
fn no_claimed_size_causes_a_panic() {
    fn largest(block: &mut [u8; 512]) {
        block[124..136].copy_from_slice(&[0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
    }
    fn larger(block: &mut [u8; 512]) {
        block[124..136].copy_from_slice(&[0x80, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
    }
    let most = u64::MAX.to_string();
    for (parts, expected) in [
        (&[changed(b'0', "a", "", b"", largest)][..], "ends within a file"),
        (&[changed(b'0', "a", "", b"", larger)], "too large"),
        (&[changed(b'x', "a", "", b"", largest)], "a header of"),
        (
            &[pax("size", &most), changed(b'0', "a", "", b"", |block| block[124..136].fill(0))],
            "within a file",
        ),
    ] {
        let error = format!("{:#}", entries(&archive(parts)).unwrap_err());
        assert!(error.contains(expected), "expected `{expected}` in: {error}");
    }
}

proptest! {
    #[test]
    fn no_byte_of_a_header_causes_a_panic(at in 0..512_usize, with in prop::collection::vec(any::<u8>(), 1..12)) {
        let mut bytes = file("a", b"content");
        let with = &with[..with.len().min(512 - at)];
        bytes[at..at + with.len()].copy_from_slice(with);
        bytes[148..156].fill(b' ');
        let sum: u32 = bytes[..512].iter().map(|byte| u32::from(*byte)).sum();
        bytes[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        drop(entries(&archive(&[bytes])));
    }
}

#[test]
fn archives_that_readers_could_interpret_differently_are_refused() {
    let behind = [archive(&[file("a", b"1")]), file("b", b"2")].concat();
    let mut checksum = archive(&[file("a", b"1")]);
    checksum[0] = b'b';
    let cases: [(Vec<u8>, &str); 15] = [
        (archive(&[file("../etc/passwd", b"")]), "leads upwards"),
        (archive(&[file("a/../../b", b"")]), "leads upwards"),
        (archive(&[entry(b'1', "a", "../b", b"")]), "leads upwards"),
        (archive(&[entry(b'S', "sparse", "", b"")]), "sparse"),
        (archive(&[pax("GNU.sparse.major", "1"), file("a", b"")]), "sparse"),
        (archive(&[pax("size", "2"), file("a", b"1")]), "entry `a`: it has two sizes"),
        (archive(&[entry(b'2', "a", "b", b"content")]), "not a file but has 7 bytes"),
        (archive(&[pax("path", &"x".repeat(5000)), file("a", b"")]), "path has 5000 bytes"),
        (archive(&[pax("linkpath", &"x".repeat(5000)), entry(b'2', "a", "", b"")]), "target has 5000 bytes"),
        (archive(&[pax("comment", &"x".repeat(1 << 20)), file("a", b"")]), "a header of"),
        (archive(&[entry(b'x', "p", "", b"99 path=a\n"), file("a", b"")]), "length key=value"),
        (archive(&[entry(b'7', "a", "", b"")]), "its type is `7`"),
        (archive(&[changed(b'0', "a", "", b"", |block| block[124] = b'+')]), "`+0000000000` in a header"),
        (behind, "more after its end"),
        (checksum, "checksum"),
    ];
    for (bytes, expected) in cases {
        let error = format!("{:#}", entries(&bytes).unwrap_err());
        assert!(error.contains(expected), "expected `{expected}` in: {error}");
    }
    let whole = archive(&[file("a", &[1; 1000])]);
    assert!(entries(&whole[..700]).is_err(), "cut off within a file");
    assert!(entries(&whole[..300]).is_err(), "cut off within a header");
}

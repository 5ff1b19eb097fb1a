//! Small layers.

pub(crate) use super::super::archive::tests::{archive, file};
use super::super::archive::tests::{entry, pax};
use super::super::budget::Budget;
use super::super::elf::tests as elf;
use super::super::facts::{Fact, LayerFacts};
use super::{Compression, read};
use crate::inputs::lockfile::Libc;
use crate::oci::reference::Digest;
use std::io::Write as _;

pub(crate) fn facts(entries: &[Vec<u8>]) -> LayerFacts {
    read(archive(entries).as_slice(), Compression::None, &Budget::of_image()).unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn a_layer_yields_its_uncompressed_digest_and_the_facts_in_it() {
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
    let plain = read(tar.as_slice(), Compression::None, &Budget::of_image()).unwrap();
    assert_eq!((&plain.diff_id, plain.size), (&Digest::of(&tar), tar.len() as u64));
    assert_eq!(read(gzip(&tar).as_slice(), Compression::Gzip, &Budget::of_image()).unwrap(), plain);
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

/// Next.js comes with a module of a hundred megabytes for each C library, which names that library near its end.
#[test]
fn the_c_library_of_a_large_module_in_a_layer_is_read() {
    let size = 66 << 20;
    let mut module = vec![0; usize::try_from(size).unwrap()];
    for (at, part) in elf::large(size, size - 4096, 4096, "libc.so") {
        let at = usize::try_from(at).unwrap();
        module[at..at + part.len()].copy_from_slice(&part);
    }
    let facts = facts(&[file("app/x.node", &module), file("app/y.node", b"\x7fELF")]);
    let Fact::Elf(found) = &facts.facts["app/x.node"] else { panic!("it is an ELF file") };
    assert_eq!(found.libc, Some(Libc::Musl));
    assert_eq!(facts.others, ["app/y.node"]);
}

#[test]
fn a_layer_that_engines_unpack_in_different_ways_is_reported() {
    let (directory, text) = (|path: &str| entry(b'5', path, "", b""), |path: &str| file(path, b""));
    let (link, hard) = (|path, to| entry(b'2', path, to, b""), |path, to| entry(b'1', path, to, b""));
    const MANIFEST: &str = "app/node_modules/a/package.json";
    let cases: [(&[Vec<u8>], Option<&str>); 34] = [
        (&[directory("a"), text("a/b"), link("a/c", "../x"), hard("a/d", "a/b"), text("a/.wh.e")], None),
        (&[directory("a"), directory("a"), directory("a/b"), text("a/b/c")], None),
        (&[text("a/b/c"), text("a/b/d"), text("a/e")], None),
        (&[text("a/.wh..wh..opq"), text("a/b")], None),
        (&[hard("a/.wh.b", "c")], None),
        (&[directory("./")], None),
        (&[text("a"), text("a")], Some("`a`: it is there twice")),
        (&[text("a"), directory("a")], Some("`a`: it is there twice")),
        (&[directory("a"), link("a", "b")], Some("`a`: it is there twice")),
        (&[text("a/.wh.b"), text("a/.wh.b")], Some("twice")),
        (&[text("a/b"), directory("a")], Some("`a`: it comes after")),
        (&[text("a/b/c"), link("a", "x")], Some("`a`: it comes after")),
        (
            &[link("m", "app/node_modules"), text("m/evil/package.json")],
            Some("`m/evil/package.json`: it is below"),
        ),
        (&[link("m", "app/node_modules"), hard("m/x/y", "a")], Some("`m/x/y`: it is below")),
        (&[link("m", "app"), text("m/.wh.node_modules")], Some("`m/.wh.node_modules`: it is below")),
        (&[link("m", "app"), directory("m/a/b")], Some("`m/a/b`: it is below")),
        (&[text("m"), text("m/a")], Some("`m/a`: it is below")),
        (&[text("a/b"), text("a/.wh.b")], Some("`a/b`: the layer has it")),
        (&[text("a/.wh.b"), text("a/b")], Some("`a/b`: the layer has it")),
        (&[text("good/package.json"), text(".wh.good")], Some("`good`: the layer has it")),
        (&[text(".wh.good"), text("good/package.json")], Some("`good`: the layer has it")),
        (&[text("a/b"), text("a/.wh..wh..opq")], Some("comes after what is beside it")),
        (&[text("b"), text(".wh..wh..opq")], Some("comes after what is beside it")),
        (&[text("a/.wh.")], Some("cannot be hidden")),
        (&[text("a/.wh..")], Some("cannot be hidden")),
        (&[text("a/.wh...")], Some("cannot be hidden")),
        (&[text("a/.wh..wh.plnk")], Some("cannot be hidden")),
        (&[text(".wh..wh.a/b")], Some("below a whiteout")),
        (&[hard("a", "b")], Some("hard link, but not to an earlier file")),
        (&[hard("a", "b"), text("b")], Some("hard link, but not to an earlier file")),
        (&[link("b", "c"), hard("a", "b")], Some("hard link, but not to an earlier file")),
        (&[text("x"), hard("packages/a/package.json", "x")], Some("a file that is not read")),
        (&[link(MANIFEST, "/x.json")], Some("is a symbolic link")),
        (&[text(".")], Some("the root directory")),
    ];
    for (entries, expected) in cases {
        let odd = facts(entries).odd;
        assert_eq!(odd.is_some(), expected.is_some(), "{expected:?}: {odd:?}");
        assert!(odd.as_ref().is_none_or(|odd| odd.contains(expected.unwrap())), "{expected:?}: {odd:?}");
    }
}

#[test]
fn an_odd_layer_of_a_base_image_is_read_as_it_is_unpacked() {
    let manifest =
        |name: &str| file("app/node_modules/a/package.json", format!(r#"{{"name": "{name}"}}"#).as_bytes());
    let names = |entries: &[Vec<u8>]| {
        let of = |fact: &Fact| match fact {
            Fact::Manifest(manifest) => manifest.name.clone().unwrap(),
            other => format!("{other:?}"),
        };
        facts(entries).facts.values().map(of).collect::<Vec<_>>()
    };
    assert_eq!(names(&[manifest("first"), manifest("second")]), ["second"]);
    assert_eq!(
        names(&[manifest("first"), file("app/node_modules", b"")]),
        [""; 0],
        "a file replaces a directory and what is below it"
    );
    assert_eq!(names(&[manifest("first"), entry(b'5', "app/node_modules", "", b"")]), ["first"]);
    let chain = facts(&[file("a", b"1"), entry(b'1', "c", "a", b""), entry(b'1', "b", "c", b"")]);
    assert_eq!(chain.hard_links["b"], "a");
    let x64 = elf::file(62, true, false, "", "libc.so.6");
    let named = facts(&[file("app/package.json", &x64), file("lib/package.json", &vec![b' '; 5 << 20])]);
    assert!(matches!(named.facts["app/package.json"], Fact::Elf(_)), "a name does not hide a binary");
}

#[test]
fn a_layer_that_is_truncated_or_followed_by_more_is_refused() {
    let whole = gzip(&archive(&[file("a", &[7; 5000])]));
    for length in [0, 10, whole.len() / 2, whole.len() - 1] {
        assert!(
            read(&whole[..length], Compression::Gzip, &Budget::of_image()).is_err(),
            "{length} of {}",
            whole.len()
        );
    }
    let more = [whole.as_slice(), b"garbage"].concat();
    assert!(read(more.as_slice(), Compression::Gzip, &Budget::of_image()).is_err());
    let second = [whole.as_slice(), &gzip(&archive(&[file("b", b"")]))].concat();
    assert!(
        read(second.as_slice(), Compression::Gzip, &Budget::of_image()).is_err(),
        "another archive after the first"
    );
    let mut changed = whole;
    let last = changed.len() - 5;
    changed[last] ^= 1;
    assert!(read(changed.as_slice(), Compression::Gzip, &Budget::of_image()).is_err(), "a wrong checksum");
}

#[test]
fn an_unreadable_package_list_is_refused_but_a_broken_test_manifest_is_not() {
    let read =
        |entries: &[Vec<u8>]| read(archive(entries).as_slice(), Compression::None, &Budget::of_image());
    let error = format!("{:#}", read(&[file("var/lib/dpkg/status", b"Package: x\n")]).unwrap_err());
    assert!(error.contains("`var/lib/dpkg/status`: `x` has no version"), "{error}");
    let facts = read(&[file("app/node_modules/a/test/node_modules/b/package.json", b"{")]).unwrap();
    assert!(facts.facts.is_empty());
    let huge = vec![b' '; 5 << 20];
    assert!(read(&[file("app/node_modules/a/package.json", &huge)]).is_err());
    assert!(read(&[file("app/package.json", &huge)]).is_ok());
}

#[test]
fn each_hard_link_costs_the_budget_as_much_as_its_file() {
    let long = format!("app{}", "/x".repeat(2000));
    let first = pax("linkpath", &long);
    let licence = format!(r#"{{"name": "a", "license": "{}"}}"#, "x".repeat(1000));
    let list = "P:a\nV:1\n\n".repeat(10);
    for (files, target) in [
        (vec![pax("path", &long), file("short", b""), first, entry(b'1', "a", "short", b"")], "a"),
        (vec![file("node_modules/a/package.json", licence.as_bytes())], "node_modules/a/package.json"),
        (vec![file("lib/apk/db/installed", list.as_bytes())], "lib/apk/db/installed"),
    ] {
        let read = |links: usize| {
            let links = (0..links).map(|number| entry(b'1', &format!("l{number}"), target, b""));
            let all: Vec<_> = files.iter().cloned().chain(links).collect();
            read(archive(&all).as_slice(), Compression::None, &Budget::of(50_000))
        };
        assert!(read(1).is_ok(), "{target}");
        assert!(read(70).is_err(), "{target}");
    }
}

#[test]
fn a_layer_from_the_cache_costs_the_budget_about_as_much_as_one_that_is_read() {
    let target = "../x".repeat(500);
    let numbers = || 0..100;
    let symlink = |number| entry(b'2', &format!("app/node_modules/l{number}"), "", b"");
    let packages: String = numbers().map(|number| format!("P:{number}\nV:1\n\n")).collect();
    let cases: [Vec<Vec<u8>>; 5] = [
        vec![file("lib/apk/db/installed", packages.as_bytes())],
        numbers().flat_map(|number| [pax("linkpath", &target), symlink(number)]).collect(),
        numbers().map(|number| file(&number.to_string(), b"")).collect(),
        numbers().map(|number| entry(b'5', &number.to_string(), "", b"")).collect(),
        [file("a", b"")]
            .into_iter()
            .chain(numbers().map(|number| entry(b'1', &number.to_string(), "a", b"")))
            .collect(),
    ];
    for (number, entries) in cases.iter().enumerate() {
        let size = facts(entries).size();
        let with = |bytes| read(archive(entries).as_slice(), Compression::None, &Budget::of(bytes)).is_ok();
        assert!(!with(size / 2) && with(size * 5 / 2), "case {number}: {size} bytes");
    }
}

#[test]
fn media_types_say_how_to_unpack_and_zstd_is_refused_with_a_remedy() {
    assert_eq!(Compression::of("application/vnd.oci.image.layer.v1.tar").unwrap(), Compression::None,);
    let error = Compression::of("application/vnd.oci.image.layer.v1.tar+zstd").unwrap_err();
    assert!(error.to_string().contains("`compression=gzip`"), "{error}");
}

//! Random and mutated layers, and the files in them: the maker of an image chooses its contents.

use super::archive::tests::{archive, entry, file, pax};
use super::budget::Budget;
use super::elf::{self, Elf};
use super::image::Contents;
use super::layer::{self, Compression};
use super::npm::{self, PackageJson};
use super::read::Part;
use super::system::{alpine, debian, os_release};
use crate::process::hostile::readers;

fn layer() -> Vec<u8> {
    archive(&[
        file("app/node_modules/a/package.json", br#"{"name": "a", "version": "1.0.0"}"#),
        file("app/node_modules/a/x.node", &elf::tests::file(62, true, false, "", "libc.so.6")),
        entry(b'2', "app/node_modules/@acme/core", "../../packages/core", b""),
        entry(b'1', "app/same.node", "app/node_modules/a/x.node", b""),
        pax("path", "app/node_modules/b/package.json"),
        file("short", br#"{"name": "b"}"#),
        file("var/lib/dpkg/status", DPKG),
        file("lib/apk/db/installed", APK),
        file("app/.wh.old", b""),
    ])
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

const MANIFEST: &[u8] =
    br#"{"config": {"digest": "sha256:6f450da5d3b094b19cde1c67adc2290e9b5c4d124d66ef7cc080270540aa36e4",
    "mediaType": "application/vnd.oci.image.config.v1+json", "size": 7},
    "layers": [{"digest": "sha256:6f450da5d3b094b19cde1c67adc2290e9b5c4d124d66ef7cc080270540aa36e4",
    "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "size": 7}]}"#;

const CONFIG: &[u8] = br#"{"config": {"Env": ["NODE_VERSION=22.1.0"]},
    "rootfs": {"diff_ids": ["sha256:6f450da5d3b094b19cde1c67adc2290e9b5c4d124d66ef7cc080270540aa36e4"]}}"#;

const DPKG: &[u8] = b"Package: libc6\nStatus: install ok installed\nArchitecture: amd64\nSource: glibc (2.36)\nVersion: 2.36-9\n Note: no\n\n";

const APK: &[u8] = b"P:musl\nV:1.2.5-r0\nA:x86_64\no:musl\nF:lib\nR:ld-musl-x86_64.so.1\n\n";

readers! {
    layers: {
        seeds: vec![layer()],
        words: &[
            "\0", "ustar\0", "00000000000\0", "77777777777\0", "app/node_modules/a/package.json", "../", "/", ".wh.", ".wh..wh..opq",
            "27 path=x\n", "0", "1", "2", "5", "x", "g", "L", "\u{7f}ELF", "{\"name\": ",
        ],
        read: |bytes| {
            let Ok(facts) = layer::read(bytes, Compression::None, &Budget::of_image()) else { return };
            assert_eq!(facts.size, bytes.len() as u64);
            let twice = [facts.clone(), facts];
            Contents::of("linux/amd64", &twice, Some(1), None).map(drop).unwrap_or_default();
        },
    }
    compressed_layers: {
        seeds: vec![gzip(&layer()), gzip(&vec![0; 20 << 20])],
        words: &["\u{1f}", "\0", "\u{8}", "ustar\0"],
        read: |bytes| drop(layer::read(bytes, Compression::Gzip, &Budget::of_image())),
    }
    manifests_and_configurations: {
        seeds: vec![MANIFEST.to_vec(), CONFIG.to_vec()],
        words: &["{", "}", "[", "]", "\"", ":", ",", "\"layers\": [", "\"diff_ids\": [", "\"sha256:", "NODE_VERSION=", "null", "\\ud800", "1e999"],
        read: |bytes| {
            Part::of("linux/amd64", MANIFEST, CONFIG).unwrap();
            drop((Part::of("linux/amd64", bytes, CONFIG), Part::of("linux/amd64", MANIFEST, bytes)));
        },
    }
    elf_files: {
        seeds: [(62, true, false), (8, false, true)]
            .map(|(machine, wide, big)| elf::tests::file(machine, wide, big, "/lib/ld-musl-x86_64.so.1", "libc.so.6"))
            .into(),
        words: &["\u{7f}ELF", "\0", "\u{1}", "\u{2}", "\u{3}", "\u{ff}\u{ff}", "libc.so.6\0", "/lib64/ld-linux-x86-64.so.2\0"],
        read: |bytes| drop(Elf::parse(bytes)),
    }
    package_manifests: {
        seeds: vec![br#"{"name": "a", "version": "v1.0.0", "license": {"type": "MIT"}, "licenses": [{"type": "MIT"}]}"#.to_vec()],
        words: &["{", "}", "[", "]", "\"", ":", ",", "\"name\": ", "\"licenses\": [", "\\u0000", "\\ud800", "\u{feff}", "1e999", "null"],
        read: |bytes| {
            let Ok(manifest) = PackageJson::parse(bytes) else { return };
            assert!(manifest.name.is_none_or(|name| !name.is_empty() && !name.chars().any(char::is_control)));
        },
    }
    package_places: {
        seeds: vec![b"app/node_modules/@s/b/node_modules/c/package.json".to_vec()],
        words: &["node_modules", "/", "@", "..", ".", "package.json", "a", "\0", "node_modules/"],
        read: |bytes| {
            // An archive yields no path longer than this.
            let path: String = String::from_utf8_lossy(bytes).chars().take(4096).collect();
            let is_outside = npm::place(&path) == npm::Place::Outside;
            assert!(is_outside || path.contains("node_modules"));
            assert!(npm::package_of(&path).is_none_or(|package| path.starts_with(package)));
        },
    }
    debian_lists: {
        seeds: vec![DPKG.to_vec(), DPKG.repeat(3)],
        words: &["Package: a\n", "Status: install ok installed\n", "Source: ", " (", ")", "Version: 1\n", "\n", "\n\n", " ", ":", "\r\n", "\0"],
        read: |bytes| drop(debian(bytes, &Budget::of_image())),
    }
    alpine_lists: {
        seeds: vec![APK.to_vec(), APK.repeat(3)],
        words: &["P:a\n", "V:1\n", "A:x\n", "o:b\n", ":", "\n", "\n\n", "P", "\r\n", "\0"],
        read: |bytes| drop(alpine(bytes, &Budget::of_image())),
    }
    os_releases: {
        seeds: vec![b"ID=debian\nVERSION_ID=\"12\"\nNAME='x'\n".to_vec()],
        words: &["ID=", "VERSION_ID=", "\"", "'", "\n", "#", "=", "\\", "\0"],
        read: |bytes| drop(os_release(bytes)),
    }
}

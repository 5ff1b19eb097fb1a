//! Small images.

use super::super::archive::tests::{entry, file};
use super::super::elf::tests as elf;
use super::super::facts::LayerFacts;
use super::super::layer::tests::facts;
use super::{Contents, Kind, UnknownOrigin, resolve};
use crate::inputs::lockfile::Libc;

pub(crate) fn manifest(path: &str, name: &str, version: &str) -> Vec<u8> {
    let content = format!(r#"{{"name": "{name}", "version": "{version}", "license": "MIT"}}"#);
    file(&format!("{path}/package.json"), content.as_bytes())
}

pub(crate) fn contents(layers: &[LayerFacts]) -> Contents {
    Contents::of("linux/amd64", layers, Some(1), Some("22.1.0".to_owned())).unwrap()
}

fn paths(layers: &[LayerFacts]) -> Vec<String> {
    contents(layers).packages.into_iter().map(|package| package.path).collect()
}

#[test]
fn a_layer_hides_replaces_and_adds() {
    let base = || {
        facts(&[
            manifest("app/node_modules/a", "a", "1.0.0"),
            manifest("app/node_modules/b", "b", "1.0.0"),
            manifest("app/node_modules/b/node_modules/c", "c", "1.0.0"),
        ])
    };
    const ALL: [&str; 3] = ["app/node_modules/a", "app/node_modules/b", "app/node_modules/b/node_modules/c"];
    let cases: [(Vec<u8>, &[&str]); 8] = [
        (file("app/other", b""), &ALL),
        (file("app/node_modules/.wh.b", b""), &ALL[..1]),
        (file("app/node_modules/b/.wh.package.json", b""), &["app/node_modules/a", ALL[2]]),
        (file("app/.wh..wh..opq", b""), &[]),
        (file("app/node_modules/b/.wh..wh..opq", b""), &ALL[..1]),
        (entry(b'2', "app/node_modules", "/elsewhere", b""), &[]),
        (file("app/node_modules/a/package.json/x", b""), &ALL[1..]),
        (file("app/node_modules/ab", b""), &ALL),
    ];
    for (upper, expected) in cases {
        assert_eq!(paths(&[base(), facts(&[upper])]), expected);
    }
    let both = facts(&[file("app/.wh..wh..opq", b""), manifest("app/node_modules/d", "d", "1.0.0")]);
    assert_eq!(paths(&[base(), both]), ["app/node_modules/d"], "opaque hides only what lower layers have");
    let replaced = contents(&[base(), facts(&[manifest("app/node_modules/a", "a", "2.0.0")])]);
    assert_eq!(
        (replaced.packages[0].manifest.version.as_deref(), replaced.packages[0].layer),
        (Some("2.0.0"), 1)
    );
}

#[test]
fn a_local_package_is_a_folder_to_which_a_link_points() {
    let yarn = facts(&[manifest("opt/yarn-v1.22.22", "yarn", "1.22.22"), file("opt/x/package.json", b"{}")]);
    let found = contents(&[
        yarn,
        facts(&[
            manifest("app", "service", "0.0.0"),
            manifest("app/packages/core", "@acme/core", "1.0.0"),
            manifest("app/packages/unused", "unused", "1.0.0"),
            manifest("app/node_modules/x/test/node_modules/y", "y", "3.0.0"),
            entry(b'2', "app/node_modules/@acme/core", "../../packages/core", b""),
            entry(b'2', "app/node_modules/gone", "../packages/gone", b""),
        ]),
    ]);
    let found: Vec<_> = found.packages.iter().map(|package| (package.path.as_str(), package.kind)).collect();
    assert_eq!(
        found,
        [
            ("app/node_modules/x/test/node_modules/y", Kind::Inside),
            ("app/packages/core", Kind::Local),
            ("opt/yarn-v1.22.22", Kind::Installed)
        ],
        "a package of the base image is listed wherever it is"
    );
    assert_eq!(resolve("a/node_modules/b", "../../../../x"), "x");
    assert_eq!(resolve("a/node_modules/b", "/srv/./x"), "srv/x");
}

#[test]
fn a_hard_link_counts_as_the_file_it_is_linked_to() {
    let x64 = elf::file(62, true, false, "", "");
    let link = || entry(b'1', "app/b.node", "app/a.node", b"");
    let apart = [facts(&[file("app/a.node", &x64)]), facts(&[link()])];
    let paths =
        |image: Contents| image.elf.into_iter().map(|file| (file.path, file.layer)).collect::<Vec<_>>();
    let both = |layer| vec![("app/a.node".to_owned(), 0), ("app/b.node".to_owned(), layer)];
    assert_eq!(paths(contents(&[facts(&[file("app/a.node", &x64), link()])])), both(0));
    assert_eq!(
        paths(Contents::of("linux/amd64", &apart, Some(2), None).unwrap()),
        both(1),
        "in a base image"
    );
    let lost =
        facts(&[file("store/1", b"{}"), entry(b'1', "app/node_modules/a/package.json", "store/1", b"")]);
    let error = Contents::of("linux/amd64", &[lost], None, None).unwrap_err();
    assert!(error.to_string().contains("hard link to `store/1`"), "{error}");
}

#[test]
fn an_odd_layer_is_refused_only_above_the_base_image() {
    let link = || entry(b'2', "m", "app/node_modules", b"");
    let below = || manifest("m/evil", "evil", "1.0.0");
    let declared = || entry(b'5', "m", "", b"");
    let within = || entry(b'5', "m/evil", "", b"");
    type Case<'a> = (&'a str, [&'a [Vec<u8>]; 3], bool);
    let cases: [Case<'_>; 9] = [
        ("in one layer", [&[], &[], &[link(), below()]], true),
        ("in two layers", [&[], &[link()], &[below()]], true),
        ("from the base image", [&[link()], &[], &[below()]], true),
        ("of a directory", [&[link()], &[], &[within()]], true),
        ("of a whiteout", [&[link()], &[], &[file("m/.wh.evil", b"")]], true),
        ("of a link that is a directory now", [&[link()], &[], &[declared(), below()]], false),
        ("of a link that was a directory before", [&[link()], &[declared()], &[below()]], false),
        ("of a link that is gone", [&[link()], &[file(".wh.m", b"")], &[below()]], false),
        ("within the base image", [&[link(), below()], &[], &[]], false),
    ];
    for (what, layers, is_refused) in cases {
        let layers = layers.map(facts);
        let result = Contents::of("linux/amd64", &layers, Some(1), None);
        let error = result.err().map(|error| format!("{error:#}"));
        assert_eq!(error.is_some(), is_refused, "{what}: {error:?}");
        assert!(error.is_none_or(|error| {
            error.starts_with("engines unpack layer 3 in different ways, because of `m")
        }));
        let unsure = Contents::of("linux/amd64", &layers, None, None).err();
        assert_eq!(
            unsure.is_some_and(|error| error.is::<UnknownOrigin>()),
            is_refused || what.starts_with("within"),
            "{what}"
        );
    }
}

#[test]
fn a_directory_replaces_a_file() {
    let base = || {
        facts(&[manifest("app/node_modules/a", "a", "1.0.0"), manifest("app/node_modules/b", "b", "1.0.0")])
    };
    let directory = |path| facts(&[entry(b'5', path, "", b"")]);
    assert_eq!(paths(&[base(), directory("app/node_modules/a/package.json")]), ["app/node_modules/b"]);
    assert_eq!(paths(&[base(), directory("app/node_modules/a")]).len(), 2, "and leaves what is below");
}

#[test]
fn the_operating_system_node_and_the_c_library_are_found() {
    let base = facts(&[
        file("usr/local/bin/node", &elf::file(62, true, false, "", "libc.so.6")),
        file("lib64/ld-linux-x86-64.so.2", &elf::file(62, true, false, "", "")),
        file("var/lib/dpkg/status", b"Package: b\nVersion: 1\n\nPackage: a\nVersion: 2\n"),
        file("usr/lib/os-release", b"ID=debian\nVERSION_ID=\"12\"\n"),
    ]);
    let found = contents(&[base]);
    assert_eq!(found.node, ["usr/local/bin/node"]);
    assert_eq!(found.libcs.into_iter().collect::<Vec<_>>(), [Libc::Glibc]);
    let names: Vec<_> = found.system.iter().map(|package| package.name.as_str()).collect();
    assert_eq!(names, ["a", "b"]);
    assert_eq!(found.release.unwrap().id, "debian");
}

#[test]
fn the_version_of_a_node_above_the_base_image_is_unknown() {
    let node = || file("usr/local/bin/node", &elf::file(62, true, false, "", "libc.so.6"));
    let base = || facts(&[node()]);
    assert_eq!(contents(&[base()]).node_version.as_deref(), Some("22.1.0"));
    for path in ["usr/local/bin/node", "opt/bin/node"] {
        let own = facts(&[file(path, &elf::file(62, true, false, "", "libc.so.6"))]);
        assert_eq!(contents(&[base(), own]).node_version, None, "{path}");
    }
}

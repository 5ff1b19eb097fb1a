//! The SBOM of small images.

mod needs;

use super::{PlatformImage, Subject, difference, document, license, purl, render};
use crate::contents::elf::Elf;
use crate::contents::image::{Contents, ElfFile, NpmPackage};
use crate::contents::installed::{self, tests as small};
use crate::contents::system::{OsPackage, OsRelease};
use crate::inputs::config::{Archive, Decision, Dependencies, Native};
use crate::oci::reference::Digest;
use crate::tool::git::Commit;
use serde_json::{Value, json};

fn sbom_of(platforms: &[Contents], dependencies: Dependencies) -> Value {
    let lockfile = small::lockfile();
    let held: Vec<_> = platforms
        .iter()
        .map(|contents| installed::check(contents, &lockfile, dependencies).unwrap())
        .collect();
    let platforms: Vec<_> =
        platforms.iter().zip(&held).map(|(contents, held)| platform(contents, held)).collect();
    let (tag, commit) = ("v1.2.3".parse().unwrap(), Commit::parse(&"a".repeat(40)).unwrap());
    let subject = Subject { title: "carol", tag: &tag, commit: &commit, time: 86_400 };
    let sbom = document(&subject, &lockfile.needs(), &platforms);
    assert_eq!(sbom, document(&subject, &lockfile.needs(), &platforms));
    let read: Value = serde_json::from_slice(&render(&sbom)).unwrap();
    assert_eq!(sbom, read, "the rendered SBOM is read back as the same value");
    sbom
}

fn platform<'a>(contents: &'a Contents, held: &'a installed::Held) -> PlatformImage<'a> {
    PlatformImage { contents, held, archives: Vec::new() }
}

fn find<'a>(sbom: &'a Value, reference: &str) -> &'a Value {
    let components = sbom["components"].as_array().unwrap();
    let found: Vec<_> = components.iter().filter(|component| component["bom-ref"] == reference).collect();
    assert_eq!(found.len(), 1, "{reference} in {sbom:#}");
    found[0]
}

fn amd64() -> Contents {
    let mut contents = small::contents(&small::whole());
    contents.node = vec!["usr/local/bin/node".to_owned()];
    contents.node_version = Some("22.1.0".to_owned());
    contents.release = Some(OsRelease { id: "debian".to_owned(), version: Some("12".to_owned()) });
    contents.system = vec![package("libc6", "2.36-9+deb12u9", "amd64", Some("glibc"))];
    contents
}

fn arm64() -> Contents {
    let mut contents = amd64();
    contents.platform = "linux/arm64".to_owned();
    contents.packages.retain(|package| !package.path.ends_with("node_modules/o"));
    contents.system = vec![package("libc6", "2.36-9+deb12u9", "arm64", Some("glibc"))];
    contents
}

fn package(name: &str, version: &str, architecture: &str, source: Option<&str>) -> OsPackage {
    OsPackage {
        name: name.to_owned(),
        version: version.to_owned(),
        architecture: Some(architecture.to_owned()),
        source: source.map(str::to_owned),
        source_version: None,
        license: None,
    }
}

#[test]
fn components_are_listed_as_they_are_installed() {
    let sbom = sbom_of(&[amd64(), arm64()], Dependencies::Installed);
    assert_eq!(
        (&sbom["specVersion"], &sbom["metadata"]["timestamp"]),
        (&json!("1.6"), &json!("1970-01-02T00:00:00Z"))
    );
    assert_eq!(sbom["metadata"]["component"]["version"], "1.2.3");
    assert_eq!(sbom["serialNumber"].as_str().unwrap().len(), "urn:uuid:".len() + 36);
    let references: Vec<_> = sbom["components"]
        .as_array()
        .unwrap()
        .iter()
        .map(|component| component["bom-ref"].as_str().unwrap())
        .collect();
    assert_eq!(
        references,
        [
            "os:debian@12",
            "pkg:deb/debian/libc6@2.36-9%2Bdeb12u9?arch=amd64&distro=debian-12&upstream=glibc",
            "pkg:deb/debian/libc6@2.36-9%2Bdeb12u9?arch=arm64&distro=debian-12&upstream=glibc",
            "pkg:generic/node@22.1.0",
            "pkg:npm/%40acme/core@1.0.0#local",
            "pkg:npm/%40s/b@3.0.0#unhashed",
            "pkg:npm/a@1.2.0#unhashed",
            "pkg:npm/d@2.0.0#unhashed",
            "pkg:npm/inside@9.0.0#unhashed",
            "pkg:npm/npm@10.0.0#unhashed",
            "pkg:npm/o@1.0.0#unhashed",
            "pkg:npm/real@4.0.0#unhashed",
        ]
    );
    let local = find(&sbom, "pkg:npm/%40acme/core@1.0.0#local");
    assert_eq!(local.get("purl"), None, "a public package of that name is a different package");
    assert_eq!(local["properties"], json!([{"name": "xtask:local", "value": "true"}]));
    let aliased = find(&sbom, "pkg:npm/real@4.0.0#unhashed");
    assert_eq!(aliased["evidence"]["occurrences"], json!([{"location": "/srv/app/node_modules/old"}]));
    let scoped = find(&sbom, "pkg:npm/%40s/b@3.0.0#unhashed");
    assert_eq!((&scoped["group"], &scoped["name"]), (&json!("@s"), &json!("b")));
    assert_eq!(scoped["licenses"], json!([{"license": {"id": "MIT"}}]));
    assert_eq!(scoped.get("properties"), None, "it is on every platform");
    assert_eq!(
        find(&sbom, "pkg:npm/o@1.0.0#unhashed")["properties"],
        json!([{"name": "xtask:platform", "value": "linux/amd64"}])
    );
    assert_eq!(
        find(&sbom, "pkg:generic/node@22.1.0")["cpe"],
        "cpe:2.3:a:nodejs:node.js:22.1.0:*:*:*:*:*:*:*"
    );
}

#[test]
fn a_package_in_two_places_is_one_component_with_both() {
    let mut contents = amd64();
    let npm = contents.packages.iter().find(|package| package.path.ends_with("node_modules/npm")).unwrap();
    let second = NpmPackage { path: "opt/node_modules/npm".to_owned(), ..npm.clone() };
    contents.packages.push(second);
    let sbom = sbom_of(&[contents, arm64()], Dependencies::Installed);
    let components = sbom["components"].as_array().unwrap();
    let found: Vec<_> =
        components.iter().filter(|one| one["bom-ref"] == "pkg:npm/npm@10.0.0#unhashed").collect();
    let places =
        json!([{"location": "/opt/node_modules/npm"}, {"location": "/usr/local/lib/node_modules/npm"}]);
    assert_eq!((found.len(), &found[0]["evidence"]["occurrences"]), (1, &places));
}

#[test]
fn a_bundled_package_is_described_by_the_lockfile() {
    let bundle = small::contents(&[]);
    let sbom = sbom_of(&[bundle], Dependencies::Bundled);
    let bundled = find(&sbom, "pkg:npm/a@1.2.0");
    assert_eq!(bundled["properties"], json!([{"name": "xtask:bundled", "value": "true"}]));
}

#[test]
fn only_a_single_sha512_of_the_lockfile_becomes_a_hash() {
    use super::component::sha512;
    let integrity = format!("sha512-{}==", "A".repeat(86));
    assert_eq!(sha512(&integrity).unwrap(), ("SHA-512", "0".repeat(128)));
    for other in ["sha1-AAAA", "sha512-YQ==", &format!("{integrity} {integrity}"), "sha512-?"] {
        assert_eq!(sha512(other), None, "{other}");
    }
}

#[test]
fn a_difference_is_named() {
    let sbom = sbom_of(&[amd64()], Dependencies::Installed);
    assert_eq!(difference(&sbom, &sbom), None);
    type Change = fn(&mut Value);
    let cases: [(Change, &str); 7] = [
        (
            |sbom| {
                let all = sbom["components"].as_array_mut().unwrap();
                all.push(all[0].clone());
            },
            "more than once: `os:debian@12`",
        ),
        (|sbom| sbom["components"].as_array_mut().unwrap().reverse(), "in another order"),
        (
            |sbom| drop(sbom["components"].as_array_mut().unwrap().pop()),
            "missing `pkg:npm/real@4.0.0#unhashed`",
        ),
        (
            |sbom| sbom["components"].as_array_mut().unwrap().push(json!({"bom-ref": "more"})),
            "in excess `more`",
        ),
        (|sbom| sbom["components"][0]["version"] = "13".into(), "another way `os:debian@12`"),
        (|sbom| sbom["metadata"]["timestamp"] = "x".into(), "another `metadata`"),
        (|sbom| drop(sbom.as_object_mut().unwrap().remove("version")), "another `version`"),
    ];
    for (change, expected) in cases {
        let mut changed = sbom.clone();
        change(&mut changed);
        let words = difference(&changed, &sbom).unwrap();
        assert!(words.contains(expected), "expected `{expected}` in: {words}");
    }
}

#[test]
fn a_licence_is_an_identifier_an_expression_or_free_text() {
    for (text, expected) in [
        ("MIT", json!([{"license": {"id": "MIT"}}])),
        ("(MIT OR Apache-2.0)", json!([{"expression": "(MIT OR Apache-2.0)"}])),
        ("MIT AND (ISC OR BSD-3-Clause)", json!([{"expression": "MIT AND (ISC OR BSD-3-Clause)"}])),
        ("SEE LICENSE IN x", json!([{"license": {"name": "SEE LICENSE IN x"}}])),
        ("MIT OR", json!([{"license": {"name": "MIT OR"}}])),
        ("(MIT", json!([{"license": {"name": "(MIT"}}])),
        ("MIT ISC", json!([{"license": {"name": "MIT ISC"}}])),
    ] {
        assert_eq!(license::json(text), expected, "{text}");
    }
}

#[test]
fn package_urls_are_encoded() {
    assert_eq!(purl::npm("@s/a", Some("1.0.0-rc.1")), "pkg:npm/%40s/a@1.0.0-rc.1");
    assert_eq!(purl::npm("a", None), "pkg:npm/a");
    let mut openssl = package("libssl3", "1:3.0.15-1~deb12u1", "amd64", Some("openssl"));
    openssl.source_version = Some("3.0.15".to_owned());
    let sid = OsRelease { id: "debian".to_owned(), version: None };
    assert_eq!(
        purl::system("deb", &openssl, Some(&sid)),
        "pkg:deb/debian/libssl3@1:3.0.15-1~deb12u1?arch=amd64&distro=debian&upstream=openssl%403.0.15"
    );
    let musl = package("musl", "1.2.5-r0", "x86_64", None);
    assert_eq!(purl::system("apk", &musl, None), "pkg:apk/alpine/musl@1.2.5-r0?arch=x86_64");
}

#[test]
fn a_prebuilt_archive_is_listed_with_its_digest_and_its_platform() {
    let (lockfile, contents) = (small::lockfile(), [amd64(), arm64()]);
    let held =
        contents.each_ref().map(|one| installed::check(one, &lockfile, Dependencies::Installed).unwrap());
    let archive = |bytes: &[u8]| Archive {
        platform: "linux/arm64".to_owned().try_into().unwrap(),
        url: "https://archives.example.org/a-arm64.tar.gz".to_owned().try_into().unwrap(),
        sha256: Digest::of(bytes),
    };
    let native = |version: Option<&str>, bytes: &[u8]| Native {
        package: "a".to_owned(),
        version: version.map(str::to_owned),
        decision: Decision::Archive(archive(bytes)),
    };
    let decisions = [native(None, b"archive"), native(Some("2.0.0"), b"2"), native(Some("3.0.0"), b"3")];
    let mut platforms: Vec<_> =
        contents.iter().zip(&held).map(|(contents, held)| platform(contents, held)).collect();
    platforms[1].archives.extend(decisions.iter().map(|native| (native, native.archive().unwrap().1)));
    let (tag, commit) = ("v1.2.3".parse().unwrap(), Commit::parse(&"a".repeat(40)).unwrap());
    let subject = Subject { title: "carol", tag: &tag, commit: &commit, time: 0 };
    let sbom = document(&subject, &lockfile.needs(), &platforms);
    let expected = json!({
        "type": "file", "bom-ref": "native:a:linux/arm64", "name": "a (prebuilt)",
        "hashes": [{"alg": "SHA-256", "content": Digest::of(b"archive").hex()}],
        "externalReferences": [{"type": "distribution", "url": "https://archives.example.org/a-arm64.tar.gz"}],
        "properties": [{"name": "xtask:platform", "value": "linux/arm64"}],
    });
    assert_eq!(find(&sbom, "native:a:linux/arm64"), &expected);
    let of_a =
        needs::needs(&sbom).into_iter().find(|(component, _)| *component == "pkg:npm/a@1.2.0#unhashed");
    assert_eq!(of_a.unwrap().1, ["native:a:linux/arm64", "pkg:npm/%40s/b@3.0.0#unhashed"]);
    for (version, bytes) in [("2.0.0", b"2"), ("3.0.0", b"3")] {
        let found = find(&sbom, &format!("native:a@{version}:linux/arm64"));
        assert_eq!(found["version"], version);
        assert_eq!(found["hashes"][0]["content"], Digest::of(bytes).hex());
    }
}

#[test]
fn node_of_an_unknown_version_is_listed_without_one() {
    let mut contents = amd64();
    contents.node_version = None;
    let sbom = sbom_of(&[contents], Dependencies::Installed);
    let node = find(&sbom, "pkg:generic/node");
    assert_eq!(node.get("version"), None);
    assert_eq!(node["properties"], json!([{"name": "xtask:not-read", "value": "version"}]));
}

#[test]
fn a_base_image_whose_packages_cannot_be_listed_is_marked() {
    let marks = |change: fn(&mut Contents)| {
        let mut contents = amd64();
        let elf = Elf { machine: 62, is_64: true, is_big_endian: false, libc: None, is_foreign: false };
        contents.elf.push(ElfFile { path: "usr/bin/sh".to_owned(), elf, layer: 0 });
        change(&mut contents);
        let sbom = sbom_of(&[contents], Dependencies::Installed);
        let properties = sbom["metadata"]["properties"].as_array().unwrap().clone();
        let unread = properties.into_iter().filter(|property| property["name"] == "xtask:not-read");
        unread.map(|property| property["value"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(marks(|_| {}), [""; 0]);
    assert_eq!(marks(|contents| contents.system.clear()), ["system packages"]);
    let of_service = |contents: &mut Contents| {
        contents.system.clear();
        contents.elf.iter_mut().for_each(|file| file.layer = 1);
    };
    assert_eq!(marks(of_service), [""; 0], "no program comes from the base image");
    let of_rpm = |contents: &mut Contents| {
        contents.system.clear();
        contents.unread.push("var/lib/rpm/rpmdb.sqlite".to_owned());
    };
    assert_eq!(marks(of_rpm), ["var/lib/rpm/rpmdb.sqlite"]);
}

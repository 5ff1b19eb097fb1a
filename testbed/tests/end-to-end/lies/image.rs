//! Lies about the image, most of them by somebody who has the key: signed, attested, tagged and on the page as a
//! release is, and only the image itself is another one.

use anyhow::{Result, ensure};
use serde_json::Value;

use super::Lie;
use super::honest::Honest;
use super::judge::check;
use super::surgery::{Parts, archive_of};
use crate::harness::test;

/// Releases the image with another label of the first platform.
fn label(honest: &Honest, key: &str, value: &str) -> Result<()> {
    honest.release_changed(|parts| set(&mut parts.platforms[0].config["config"]["Labels"], key, value))
}

fn set(table: &mut Value, key: &str, value: &str) -> Result<()> {
    let place = &mut table[format!("org.opencontainers.image.{key}")];
    ensure!(place.is_string() && *place != value, "`{key}` is {place}");
    *place = value.into();
    Ok(())
}

/// The header of a program for a machine that nothing here is released for.
fn s390x() -> Vec<u8> {
    let mut header = vec![0; 64];
    header[..8].copy_from_slice(b"\x7fELF\x02\x02\x01\0");
    header[18..20].copy_from_slice(&22u16.to_be_bytes());
    header
}

/// The other platform's image under each platform.
fn swap(parts: &mut Parts) {
    let first = parts.platforms[0].entry["platform"].take();
    parts.platforms[0].entry["platform"] = parts.platforms[1].entry["platform"].take();
    parts.platforms[1].entry["platform"] = first;
}

pub(super) const LIES: &[Lie] = &[
    Lie {
        // cosign accepts what is not there. Which platforms the image is for is in the index, its labels are not.
        name: "a platform's manifest deleted",
        make: |honest| honest.registry.delete(honest.manifests()?[1].as_str()),
        wrong: &["image.present"],
        unchecked: &["image.labels", "image.content", "image.machine", "sbom.components"],
    },
    Lie {
        name: "one platform less",
        make: |honest| {
            honest.release_changed(|parts| {
                drop(parts.platforms.pop());
                Ok(())
            })
        },
        wrong: &["image.platforms"],
        unchecked: &["image.content", "image.machine", "sbom.components"],
    },
    Lie {
        name: "the platforms' images swapped",
        make: |honest| {
            honest.release_changed(|parts| {
                swap(parts);
                Ok(())
            })
        },
        wrong: &["image.platforms"],
        unchecked: &["image.content", "image.machine", "sbom.components"],
    },
    Lie {
        name: "label `revision` of another commit",
        make: |honest| label(honest, "revision", "00000000000000000000000000000000000000ff"),
        wrong: &["image.labels"],
        unchecked: &[],
    },
    Lie {
        name: "label `version` of another version",
        make: |honest| label(honest, "version", "0.2.1"),
        wrong: &["image.labels"],
        unchecked: &[],
    },
    Lie {
        name: "label `source` of another repository",
        make: |honest| label(honest, "source", "https://forge.example.org/acme/carol"),
        wrong: &["image.labels"],
        unchecked: &[],
    },
    Lie {
        name: "annotation `version` of a platform's manifest",
        make: |honest| {
            honest.release_changed(|parts| {
                set(&mut parts.platforms[1].manifest["annotations"], "version", "0.2.1")
            })
        },
        wrong: &["image.labels"],
        unchecked: &[],
    },
    Lie {
        name: "annotation `version` of the index",
        make: |honest| {
            honest.release_changed(|parts| set(&mut parts.index["annotations"], "version", "0.2.1"))
        },
        wrong: &["image.labels"],
        unchecked: &[],
    },
    Lie {
        name: "other files in a layer than the config says",
        make: |honest| {
            honest.release_changed(|parts| {
                honest.replace_last_layer(parts, &archive_of("app/src/server.js", b"// another service"))
            })
        },
        wrong: &["image.content"],
        unchecked: &["image.machine", "sbom.components"],
    },
    Lie {
        name: "a binary for another platform in a layer more",
        make: |honest| {
            honest.release_changed(|parts| honest.add_archive(parts, &archive_of("app/x.node", &s390x())))
        },
        wrong: &["image.machine"],
        unchecked: &[],
    },
    Lie {
        name: "a package that is not the lockfile's in a layer more",
        make: |honest| {
            let package = br#"{"name": "left-pad", "version": "1.3.0"}"#;
            let archive = archive_of("app/node_modules/left-pad/package.json", package);
            honest.release_changed(|parts| honest.add_archive(parts, &archive))
        },
        wrong: &["sbom.components"],
        unchecked: &[],
    },
    Lie {
        // What the key vouches for is believed; only the bytes of a build that is one's own tell.
        name: "a layer more, which only `--rebuild` finds",
        make: |honest| honest.release_changed(|parts| honest.add_a_layer(parts)),
        wrong: &["rebuild"],
        unchecked: &[],
    },
];

#[test]
fn lies_about_the_image() -> Result<()> {
    test(|| check(LIES))
}

//! What the comparison of two commits says.

use std::collections::BTreeSet;

use super::Compared;
use crate::inputs::dockerfile::runtime;
use crate::inputs::lockfile::pinned::Pinned;
use crate::inputs::shape::{Offer, Part, Shape, Shapes, Trial};
use crate::inputs::words::{block, imitation};

fn set(values: &[&str]) -> BTreeSet<String> {
    values.iter().map(|value| (*value).to_owned()).collect()
}

fn pinned(direct: &[&str], versions: &[(&str, &[&str])]) -> Part<Pinned> {
    let versions = versions.iter().map(|(name, versions)| ((*name).to_owned(), set(versions))).collect();
    Part::Read(Pinned { versions, direct: set(direct), licenses: BTreeSet::new() })
}

fn shape() -> Shape {
    let (offer, key) = (Part::Absent, Part::Absent);
    Shape { packages: pinned(&[], &[]), runtime: Part::Absent, trial: Part::Absent, offer, key }
}

fn image(dockerfile: &str) -> Shape {
    Shape { runtime: Part::Read(runtime::read(dockerfile)), ..shape() }
}

fn tried(variables: &[&str], port: Option<u16>, writable: &[&str]) -> Shape {
    let trial = Trial { variables: set(variables), port, writable: set(writable) };
    Shape { trial: Part::Read(trial), ..image("FROM x\n") }
}

fn compared(before: Shape, after: Shape) -> Compared {
    Compared::of(&"v1.0.0".parse().unwrap(), &Shapes { before, after })
}

#[test]
fn upgrade_notes_are_derived_from_the_two_commits() {
    for (before, after, expected) in [
        (image("FROM node:20-slim"), image("FROM node:22-slim"), &["Node.js `20` → `22`."][..]),
        (image("FROM node:22-slim"), image("FROM node:22.1-slim"), &[]),
        (
            image("FROM x\nENV PORT=3000\nEXPOSE $PORT"),
            image("FROM x\nENV PORT=8080\nEXPOSE $PORT"),
            &["Variables that the image sets: `PORT` `3000` → `8080`.", "Ports: `3000` → `8080`."],
        ),
        (image("FROM x\nUSER 1000"), image("FROM x\nUSER 1000"), &[]),
        (
            image("FROM x"),
            image("FROM x\nUSER 1000:1000"),
            &[
                "The user that it runs as: that of the base image → `1000:1000`. Files on volumes must belong to it.",
            ],
        ),
        (
            image("FROM x\nEXPOSE 3000/tcp"),
            image("FROM x\nEXPOSE 8080\nVOLUME /data"),
            &["Volumes: none → `/data`.", "Ports: `3000` → `8080`."],
        ),
        (tried(&[], Some(3000), &[]), tried(&[], Some(8080), &[]), &["Ports: `3000` → `8080`."]),
        // The older configuration cannot be read, so nothing is said about its port.
        (
            Shape { trial: Part::Unread, ..tried(&[], Some(1), &[]) },
            tried(&["NEW"], Some(8080), &["/tmp"]),
            &[],
        ),
        (
            tried(&["KEPT", "OLD"], None, &["/tmp"]),
            tried(&["A", "B", "KEPT"], None, &["/data", "/tmp"]),
            &[
                "New variables that it is tested with, and may need: `A`, `B`.",
                "Variables that it is no longer tested with: `OLD`.",
                "Directories that it writes to: `/tmp` → `/data`, `/tmp`.",
            ],
        ),
    ] {
        assert_eq!(compared(before.clone(), after.clone()).upgrade, expected, "{before:?}\n{after:?}");
    }
    // A port is not new if the Dockerfile now names it too.
    let named = Shape { runtime: image("FROM x\nEXPOSE 3000").runtime, ..tried(&[], Some(3000), &[]) };
    assert_eq!(compared(tried(&[], Some(3000), &[]), named), Compared::default());
}

#[test]
fn what_a_person_may_have_replaced_or_built_upon_is_an_upgrade_note() {
    for (before, after, expected) in [
        (
            image("FROM x\nENV A=1 B=2 C=3"),
            image("FROM x\nARG VERSION\nENV B=2 C=$VERSION D=4"),
            &["Variables that the image sets: `A` `1` → not set, `C` `3` → a value that is not known here."]
                [..],
        ),
        (
            image("FROM x\nENTRYPOINT [\"node\", \"a.js\"]\nHEALTHCHECK CMD a\nWORKDIR /app"),
            image("FROM x\nCMD [\"b\"]\nWORKDIR /app"),
            &[
                "The entry point: `[\"node\", \"a.js\"]` → that of the base image. What you set in its place may have to change.",
                "The command: that of the base image → `[\"b\"]`. What you set in its place may have to change.",
                "The image has no health check of its own any more.",
            ],
        ),
        (
            image("FROM node:24.1-slim"),
            image("FROM node:24.2-alpine"),
            &[
                "The base image: `node:24.1-slim` → `node:24.2-alpine`. What you build on the image, or run in it, may have to change.",
            ],
        ),
        (image("FROM node:24-bookworm-slim@sha256:a"), image("FROM node:24-bookworm-slim@sha256:b"), &[]),
    ] {
        assert_eq!(compared(before.clone(), after.clone()).upgrade, expected, "{before:?}\n{after:?}");
    }
}

#[test]
fn a_changed_name_platform_licence_or_key_is_an_upgrade_note() {
    let offered = |image: &str, platforms: &[&str], licenses: &str| {
        let (image, licenses) = (image.to_owned(), licenses.to_owned());
        let offer = Offer { image, platforms: set(platforms), licenses };
        Shape { offer: Part::Read(offer), ..shape() }
    };
    let signed = |digit: &str| Shape {
        key: Part::Read(format!("sha256:{}", digit.repeat(64)).parse().unwrap()),
        ..shape()
    };
    let both = || offered("r/a", &["linux/amd64", "linux/arm64"], "MIT");
    let (one, two) = ("1".repeat(64), "2".repeat(64));
    let keys = format!(
        "The key that signs it: `sha256:{one}` → `sha256:{two}`. Policies and copies of the key have to have the new one."
    );
    for (before, after, expected) in [
        (both(), both(), &[][..]),
        (offered("r/a", &["linux/amd64"], "MIT"), both(), &[]),
        (
            both(),
            offered("r/a", &["linux/amd64"], "MIT"),
            &["Platforms: `linux/amd64`, `linux/arm64` → `linux/amd64`."],
        ),
        (
            both(),
            offered("r/b", &["linux/amd64", "linux/arm64"], "Apache-2.0"),
            &[
                "The image: `r/a` → `r/b`. The old name gets no new versions.",
                "Licence: `MIT` → `Apache-2.0`.",
            ],
        ),
        (both(), Shape { offer: Part::Unread, ..shape() }, &[]),
        (signed("1"), signed("1"), &[]),
        (signed("1"), signed("2"), &[&*keys]),
        (shape(), signed("2"), &[]),
    ] {
        assert_eq!(compared(before.clone(), after.clone()).upgrade, expected, "{before:?}\n{after:?}");
    }
    let unread = compared(signed("1"), Shape { key: Part::Unread, ..shape() }).unread;
    assert_eq!(
        unread,
        ["The public key of this release could not be read, so what it says is not compared."]
    );
}

#[test]
fn direct_dependencies_are_named_and_transitive_ones_counted() {
    let before = pinned(
        &["a", "gone"],
        &[("a", &["1.0.0"]), ("gone", &["1"]), ("x", &["1"]), ("y", &["1"]), ("same", &["1"])],
    );
    let after = pinned(
        &["a", "new"],
        &[
            ("a", &["1.1.0", "2.0.0"]),
            ("new", &["3"]),
            ("x", &["2"]),
            ("z", &["1"]),
            ("w", &["1"]),
            ("same", &["1"]),
        ],
    );
    let [before, after] = [before, after].map(|packages| Shape { packages, ..shape() });
    let found = compared(before.clone(), after);
    let expected = [
        "`a` `1.0.0` → `1.1.0`, `2.0.0`",
        "`gone` `1`, removed",
        "`new` `3`, added",
        "Packages that other packages need: 2 added, 1 removed, 1 updated",
    ];
    assert_eq!(found.dependencies, expected);
    assert_eq!(compared(before.clone(), before), Compared::default());
}

#[test]
fn the_base_image_is_named_with_its_tag_and_digest() {
    let base = |before: &str, after: &str| {
        compared(image(&format!("FROM {before}")), image(&format!("FROM {after}"))).dependencies.concat()
    };
    assert_eq!(base("node:22@sha256:a", "node:22@sha256:b"), "Base image `node:22`: `sha256:a` → `sha256:b`");
    assert_eq!(
        base("node:22@sha256:a", "node:24@sha256:b"),
        "Base image `node:22` → `node:24`: `sha256:a` → `sha256:b`"
    );
    assert_eq!(base("node:22", "node:22@sha256:b"), "Base image `node:22`: no digest → `sha256:b`");
    assert_eq!(base("node:22", "node:24"), "Base image `node:22` → `node:24`");
    assert_eq!(base("node:22", "node:22"), "");
}

#[test]
fn a_part_that_cannot_be_read_is_reported_and_the_rest_is_compared() {
    let before = Shape { packages: Part::Unread, trial: Part::Unread, ..image("FROM node:20") };
    let found = compared(before, image("FROM node:22"));
    assert_eq!(found.upgrade, ["Node.js `20` → `22`."]);
    let expected = ["lockfile", "configuration"]
        .map(|name| format!("The {name} of v1.0.0 could not be read, so what it says is not compared."));
    assert_eq!(found.unread, expected);
    // A part that only one of the commits has is not compared.
    assert_eq!(compared(Shape { packages: Part::Absent, ..shape() }, image("FROM x")), Compared::default());
}

#[test]
fn hostile_names_are_shown_as_text_and_long_lists_are_cut() {
    let hostile = "<b>`x`</b>\u{202e} @everyone\n## Image";
    let after = Shape { packages: pinned(&[hostile], &[(hostile, &["[1](http://localhost)"])]), ..shape() };
    let line = "``<b>`x`</b> @everyone ## Image`` `[1](http://localhost)`, added";
    assert_eq!(compared(shape(), after).dependencies, [line]);
    let names: Vec<_> = (0..30).map(|number| format!("V{number}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let found = compared(tried(&[], None, &[]), tried(&names, None, &[]));
    assert!(found.upgrade[0].ends_with(" and 10 more."), "{:?}", found.upgrade);
}

#[test]
fn new_licences_are_listed_if_the_older_lockfile_has_licences() {
    let licensed = |licenses: &[&str]| {
        let pinned = Pinned { licenses: set(licenses), ..Pinned::default() };
        Shape { packages: Part::Read(pinned), ..shape() }
    };
    for (before, after, expected) in [
        (
            &["MIT"][..],
            &["MIT", "ISC", "`x` @all"][..],
            &["New licences, by what the packages say: `ISC`, `` `x` @all ``"][..],
        ),
        (&["MIT", "ISC"], &["MIT"], &[]),
        (&[], &["MIT"], &[]),
    ] {
        let shapes = Shapes { before: licensed(before), after: licensed(after) };
        let compared = Compared::of(&"v1.0.0".parse().unwrap(), &shapes);
        assert_eq!(compared.dependencies, expected);
    }
}

#[test]
fn no_name_makes_a_line_begin_a_block_or_imitate_the_image_part() {
    for bad in [
        "<pre>",
        "`<b>`",
        "``<b>",
        "```sh",
        "~~~<i>",
        "| <b> |",
        "[a](<b>",
        "$$<b>$$",
        "\\<b>",
        "&#60;",
        "`sha256:ab",
    ] {
        let other = format!("{bad} other");
        let before = Shape { packages: pinned(&[bad], &[(bad, &[bad])]), ..tried(&[bad], None, &[bad]) };
        let after = Shape {
            packages: pinned(&[bad, &other], &[(bad, &[&other]), (&other, &[bad, "1"])]),
            ..tried(&[&other], None, &[&other, bad])
        };
        let before = Shape { runtime: image(&format!("FROM a\nENV A={bad}\nCMD {bad}")).runtime, ..before };
        let Compared { upgrade, dependencies, unread } = compared(before, after);
        assert!(upgrade.len() == 6 && dependencies.len() == 3 && unread.is_empty(), "{upgrade:?}");
        for line in upgrade.iter().chain(&dependencies) {
            let line = format!("- {line}\n");
            assert_eq!((block(&line), imitation(&line, "")), (None, None), "{line}");
        }
    }
}

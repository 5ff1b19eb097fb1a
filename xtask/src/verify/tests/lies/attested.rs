//! Lies about the provenance as a whole.

use serde_json::json;

use super::super::change::{Key, NOTHING};
use super::Lie;
use super::predicate::DEPENDENCIES;
use crate::evidence::attached::{Kind, PROVENANCE_PREDICATE};
use crate::oci::reference::Digest;

/// The claims about its parts except `provenance.form`, for when it cannot be read.
const REST: &[&str] = &[
    "provenance.source",
    "provenance.inputs",
    "provenance.builder",
    "provenance.time",
    "provenance.products",
    "provenance.run",
    "smoke",
];

/// As [`REST`]; in addition, nobody knows which files are due.
const WITHOUT_A_BUILD_TYPE: &[&str] = &[
    "provenance.source",
    "provenance.inputs",
    "provenance.builder",
    "provenance.time",
    "provenance.products",
    "provenance.run",
    "smoke",
    "page.assets",
];

/// If cosign accepts no provenance, the page's command fails too.
const REJECTED: &[&str] = &["provenance", "page.commands"];

/// Then there is also nothing to count the attachments against.
const WITHOUT: &[&str] = &["attachments", "provenance.*", "smoke"];

pub(super) const LIES: &[Lie] = &[
    Lie {
        name: "provenance removed",
        tell: |world| world.replace_attestation(PROVENANCE_PREDICATE, None),
        wrong: REJECTED,
        unchecked: WITHOUT,
    },
    Lie {
        name: "provenance by another key instead",
        tell: |world| {
            let predicate = world.predicate(PROVENANCE_PREDICATE);
            world.attest_anew(PROVENANCE_PREDICATE, &predicate, Key::Other);
        },
        wrong: REJECTED,
        unchecked: WITHOUT,
    },
    Lie {
        // Both are accepted, so nothing foreign is attached, but nobody knows which one is meant.
        name: "a second provenance by the key",
        tell: |world| {
            let (digest, predicate) = (world.digest.clone(), world.predicate(PROVENANCE_PREDICATE));
            let layer = world.attestation(&digest, PROVENANCE_PREDICATE, &predicate, Key::Own);
            world.attach(Kind::Attestations, layer);
        },
        wrong: &["provenance"],
        unchecked: &["provenance.*", "smoke"],
    },
    Lie {
        name: "provenance copied from an older release",
        tell: |world| {
            let older = world.release_older();
            let theirs = world.layers_of(&older, Kind::Attestations).remove(0).0;
            world.replace_attestation(PROVENANCE_PREDICATE, Some(theirs));
        },
        wrong: REJECTED,
        unchecked: WITHOUT,
    },
    Lie {
        // In every other respect it is the honest one.
        name: "provenance whose subject is another digest",
        tell: |world| {
            let (elsewhere, predicate) = (Digest::of(b"no image"), world.predicate(PROVENANCE_PREDICATE));
            let layer = world.attestation(&elsewhere, PROVENANCE_PREDICATE, &predicate, Key::Own);
            world.replace_attestation(PROVENANCE_PREDICATE, Some(layer));
        },
        wrong: REJECTED,
        unchecked: WITHOUT,
    },
    Lie {
        name: "provenance `{}`",
        tell: |world| world.attest_anew(PROVENANCE_PREDICATE, &json!({}), Key::Own),
        wrong: &["provenance.form"],
        unchecked: WITHOUT_A_BUILD_TYPE,
    },
    Lie {
        name: "an extra external parameter in the provenance",
        tell: |world| {
            world.change_provenance(|provenance| {
                provenance["buildDefinition"]["externalParameters"]["target"] = "debug".into();
            });
        },
        wrong: &["provenance.form"],
        unchecked: REST,
    },
    Lie {
        name: "an extra field in the provenance's builder",
        tell: |world| {
            world
                .change_provenance(|provenance| provenance["runDetails"]["builder"]["trusted"] = true.into());
        },
        wrong: &["provenance.form"],
        unchecked: REST,
    },
    Lie {
        name: "the provenance without its inputs",
        tell: |world| {
            world.change_provenance(|provenance| {
                let definition = provenance["buildDefinition"].as_object_mut().expect("a definition");
                definition.remove("resolvedDependencies");
            });
        },
        wrong: &["provenance.form"],
        unchecked: REST,
    },
    Lie {
        name: "wrong build type in the provenance",
        tell: |world| world.set("/buildDefinition/buildType", "https://example.org/by-hand"),
        wrong: &["provenance.form"],
        unchecked: &["page.assets"],
    },
    Lie {
        name: "a build type with a later version",
        tell: |world| {
            world.change_provenance(|provenance| {
                let place = &mut provenance["buildDefinition"]["buildType"];
                *place = place.as_str().expect("a build type").replace("v2", "v3").into();
            });
        },
        wrong: &["provenance.form"],
        unchecked: &["page.assets"],
    },
    Lie {
        name: "an extra resolved dependency in the provenance",
        tell: |world| {
            world.change_provenance(|provenance| {
                let list = provenance.pointer_mut(DEPENDENCIES).and_then(|list| list.as_array_mut());
                let extra = json!({ "name": "left-pad", "digest": { "sha256": NOTHING } });
                list.expect("it has dependencies").push(extra);
            });
        },
        wrong: &["provenance.inputs"],
        unchecked: &[],
    },
];

//! Lies in the envelope of an attestation that cosign accepts nevertheless. They are by the key, with more or less in
//! the envelope than its format names. The bundle holds the same envelope, and then is not one of ours.

use serde_json::{Value, json};

use super::super::change::Key;
use super::super::cosign::statement;
use super::super::world::World;
use super::Lie;
use crate::evidence::attached::{Kind, PROVENANCE_PREDICATE, SBOM_PREDICATE};
use crate::oci::reference::Digest;

/// If there is not exactly one SBOM, neither its components nor its mention in the provenance can be checked.
const OF_SBOM: &[&str] = &["sbom.components", "provenance.products"];

/// Replaces an attestation with a changed envelope.
fn change(world: &mut World, kind: &str, change: impl FnOnce(&mut Value)) {
    let mut envelope = world.envelope_of(kind);
    change(&mut envelope);
    let layer = world.enveloped(kind, &envelope);
    world.replace_attestation(kind, Some(layer));
}

/// Replaces an attestation with an envelope around a changed statement.
pub(super) fn restate(world: &mut World, kind: &str, change: impl FnOnce(&mut Value)) {
    let mut statement = statement(&world.envelope_of(kind));
    change(&mut statement);
    let layer = world.envelope(kind, &statement, Key::Own);
    world.replace_attestation(kind, Some(layer));
}

pub(super) const LIES: &[Lie] = &[
    Lie {
        name: "an extra field in the provenance's envelope",
        tell: |world| change(world, PROVENANCE_PREDICATE, |envelope| envelope["note"] = "x".into()),
        wrong: &["provenance", "attachments"],
        unchecked: &["provenance.*", "smoke"],
    },
    Lie {
        name: "an extra field in the SBOM's envelope",
        tell: |world| change(world, SBOM_PREDICATE, |envelope| envelope["note"] = "x".into()),
        wrong: &["sbom", "attachments"],
        unchecked: OF_SBOM,
    },
    Lie {
        name: "a second payload in the envelope, spelled otherwise",
        tell: |world| {
            change(world, PROVENANCE_PREDICATE, |envelope| envelope["Payload"] = envelope["payload"].clone());
        },
        wrong: &["provenance", "attachments"],
        unchecked: &["provenance.*", "smoke"],
    },
    Lie {
        name: "a second signature in the envelope",
        tell: |world| {
            change(world, PROVENANCE_PREDICATE, |envelope| {
                let signatures = envelope["signatures"].as_array_mut().expect("signatures");
                signatures.push(json!({ "keyid": "", "sig": "b3RoZXI=" }));
            });
        },
        wrong: &["provenance", "attachments"],
        unchecked: &["provenance.*", "smoke"],
    },
    Lie {
        name: "the name of a key in the envelope, which nobody signed",
        tell: |world| {
            change(world, PROVENANCE_PREDICATE, |envelope| envelope["signatures"][0]["keyid"] = "x".into());
        },
        wrong: &["provenance", "attachments"],
        unchecked: &["provenance.*", "smoke"],
    },
    Lie {
        name: "an envelope of another payload type",
        tell: |world| {
            change(world, PROVENANCE_PREDICATE, |envelope| {
                envelope["payloadType"] = "application/json".into();
            });
        },
        wrong: &["provenance", "attachments"],
        unchecked: &["provenance.*", "smoke"],
    },
    Lie {
        name: "an extra field in the provenance's statement",
        tell: |world| restate(world, PROVENANCE_PREDICATE, |statement| statement["note"] = "x".into()),
        wrong: &["provenance", "attachments"],
        unchecked: &["provenance.*", "smoke"],
    },
    Lie {
        name: "a second subject in the provenance's statement",
        tell: |world| {
            restate(world, PROVENANCE_PREDICATE, |statement| {
                let subjects = statement["subject"].as_array_mut().expect("subjects");
                subjects.push(json!({ "name": "x", "digest": { "sha256": "00" } }));
            });
        },
        wrong: &["provenance", "attachments"],
        unchecked: &["provenance.*", "smoke"],
    },
    Lie {
        name: "a second digest of the SBOM's subject",
        tell: |world| {
            restate(world, SBOM_PREDICATE, |statement| {
                statement["subject"][0]["digest"]["sha512"] = "00".into();
            });
        },
        wrong: &["sbom", "attachments"],
        unchecked: OF_SBOM,
    },
    Lie {
        // As if cosign had rewritten the bytes of the envelope in another format.
        name: "cosign shows another provenance than the one that is attached",
        tell: |world| {
            let layers = world.layers_of(&world.digest.clone(), Kind::Attestations);
            let is_it =
                |(layer, _): &(Value, _)| layer["annotations"]["predicateType"] == PROVENANCE_PREDICATE;
            let (mut layer, bytes) = layers.into_iter().find(is_it).expect("it is attested");
            let attached = Digest::of(b"an envelope with a space more");
            world.blobs.insert(attached.clone(), bytes);
            layer["digest"] = attached.as_str().into();
            world.replace_attestation(PROVENANCE_PREDICATE, Some(layer));
        },
        wrong: &["attachments", "page.assets"],
        unchecked: &[],
    },
];

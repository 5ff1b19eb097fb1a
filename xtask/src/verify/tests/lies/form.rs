//! Lies in fields of a registry's documents that no other lie is about. In signed documents they need the key, in all
//! others only write access. All of them were found by changing every field (`mutation.rs`).

use serde_json::{Value, json};

use super::super::change::Key;
use super::super::cosign::SIGNATURE;
use super::super::world::World;
use super::Lie;
use crate::evidence::attached::Kind;
use crate::evidence::bundle;

/// A lie that one claim detects.
const fn one(name: &'static str, tell: fn(&mut World), wrong: &'static [&'static str]) -> Lie {
    Lie { name, tell, wrong, unchecked: &[] }
}

const PRESENT: &[&str] = &["image.present"];
const LABELS: &[&str] = &["image.labels"];
const ATTACHMENTS: &[&str] = &["attachments"];

/// Changes the manifest of what is attached to the released image, or the index of its bundles.
fn change_tagged(world: &mut World, tag: &str, change: impl FnOnce(&mut Value)) {
    let mut manifest = world.json(tag);
    change(&mut manifest);
    let digest = world.put(&manifest);
    world.tags.insert(tag.to_owned(), digest);
}

fn change_attached(world: &mut World, kind: Kind, change: impl FnOnce(&mut Value)) {
    let tag = kind.tag(&world.digest).to_string();
    change_tagged(world, &tag, change);
}

pub(super) const LIES: &[Lie] = &[
    one(
        "an extra field in the index, by the key",
        |world| world.release_changed(|_, parts| parts.index["note"] = "x".into()),
        PRESENT,
    ),
    one(
        "an extra field in a platform's manifest, by the key",
        |world| world.release_changed(|_, parts| parts.platforms[1].manifest["note"] = "x".into()),
        PRESENT,
    ),
    one(
        "an extra field in a platform's config, by the key",
        |world| world.release_changed(|_, parts| parts.platforms[1].config["config"]["Note"] = "x".into()),
        PRESENT,
    ),
    one(
        "an index whose type says that it is not one, by the key",
        |world| world.release_changed(|_, parts| parts.index["mediaType"] = "application/json".into()),
        PRESENT,
    ),
    one(
        "another description on the image, by the key",
        |world| world.release_changed(|_, parts| parts.label_all("description", "something else")),
        LABELS,
    ),
    one(
        "another base image on the image, by the key",
        |world| {
            world.release_changed(|_, parts| parts.label_all("base.name", "docker.io/library/node:24-slim"));
        },
        LABELS,
    ),
    one(
        "an extra annotation on the index, by the key",
        |world| world.release_changed(|_, parts| parts.index["annotations"]["note"] = "x".into()),
        LABELS,
    ),
    one(
        "another key's signature of a platform's image, beside ours",
        |world| {
            let platform = world.platforms().remove(0);
            let mut layers: Vec<_> =
                world.layers_of(&platform, Kind::Signatures).into_iter().map(|(layer, _)| layer).collect();
            layers.push(world.signature(&platform, Some(&world.version()), Key::Other));
            world.attach_only(&platform, Kind::Signatures, &layers);
        },
        ATTACHMENTS,
    ),
    one(
        "the signature attached twice",
        |world| {
            change_attached(world, Kind::Signatures, |manifest| {
                let layers = manifest["layers"].as_array_mut().expect("it has layers");
                layers.push(layers[0].clone());
            });
        },
        ATTACHMENTS,
    ),
    one(
        "a second signature of the same bytes, computed from the first without the key",
        |world| {
            change_attached(world, Kind::Signatures, |manifest| {
                let layers = manifest["layers"].as_array_mut().expect("it has layers");
                let mut second = layers[0].clone();
                second["annotations"][SIGNATURE] = "c2Vjb25k".into();
                layers.push(second);
            });
        },
        ATTACHMENTS,
    ),
    one(
        "a signature in another spelling of base64",
        |world| {
            // As cosign reads it: a line break within base64 says nothing.
            change_attached(world, Kind::Signatures, |manifest| {
                manifest["layers"][0]["annotations"][SIGNATURE] =
                    format!("{}\n", Key::Own.signature()).into();
            });
        },
        ATTACHMENTS,
    ),
    one(
        "an extra annotation on the signature's layer",
        |world| {
            change_attached(world, Kind::Signatures, |manifest| {
                manifest["layers"][0]["annotations"]["note"] = "x".into();
            });
        },
        ATTACHMENTS,
    ),
    one(
        "the provenance marked as the SBOM, and the SBOM as the provenance",
        |world| {
            change_attached(world, Kind::Attestations, |manifest| {
                let mark = |layer: &mut Value| layer["annotations"]["predicateType"].take();
                let (first, second) = (mark(&mut manifest["layers"][0]), mark(&mut manifest["layers"][1]));
                manifest["layers"][0]["annotations"]["predicateType"] = second;
                manifest["layers"][1]["annotations"]["predicateType"] = first;
            });
        },
        ATTACHMENTS,
    ),
    Lie {
        name: "attestations of another type than envelopes",
        tell: |world| {
            change_attached(world, Kind::Attestations, |manifest| {
                manifest["layers"][1]["mediaType"] = "text/plain".into();
            });
        },
        wrong: ATTACHMENTS,
        unchecked: &["page.assets"],
    },
    one(
        "an extra field in the index of the bundles",
        |world| {
            let tag = bundle::tag(&world.digest).to_string();
            change_tagged(world, &tag, |index| index["note"] = "x".into());
        },
        ATTACHMENTS,
    ),
    one(
        "an extra annotation where the index names a bundle",
        |world| {
            let tag = bundle::tag(&world.digest).to_string();
            change_tagged(world, &tag, |index| index["manifests"][0]["annotations"]["note"] = json!("x"));
        },
        ATTACHMENTS,
    ),
    one(
        "bundle of the signature named twice",
        |world| {
            let first = world.referring().remove(0);
            world.refer_first(first);
        },
        ATTACHMENTS,
    ),
];

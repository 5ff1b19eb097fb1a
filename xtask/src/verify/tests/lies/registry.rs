//! A registry that answers with other bytes than those requested, or has lost some, and servers that do not answer.
//! What was not seen is unchecked; it never holds.

use serde_json::Value;

use super::super::world::World;
use super::Lie;
use crate::oci::reference::Digest;

/// From now on, the answer for `reference` has one extra byte.
fn damage(world: &mut World, reference: &str) {
    world.damaged.insert(reference.to_owned());
}

/// The digest that `key` of the first platform's manifest names.
fn blob(world: &World, key: &str) -> Digest {
    let manifest = world.json(world.platforms()[0].as_str());
    let digest = manifest.pointer(key).and_then(Value::as_str);
    digest.expect("the manifest has it").parse().expect("a digest")
}

/// The top layer of the first platform's image.
fn last_layer(world: &World) -> Digest {
    let manifest = world.json(world.platforms()[0].as_str());
    let layers = manifest["layers"].as_array().expect("a manifest has layers");
    blob(world, &format!("/layers/{}/digest", layers.len() - 1))
}

pub(super) const LIES: &[Lie] = &[
    Lie {
        name: "registry answers with another index than the digest's",
        tell: |world| damage(world, world.digest.clone().as_str()),
        wrong: &["image.present"],
        unchecked: &[
            "image.platforms",
            "image.labels",
            "image.content",
            "image.base",
            "image.machine",
            "signature.platforms",
            "provenance.products",
            "sbom.components",
        ],
    },
    Lie {
        name: "registry answers for the version tag with other bytes than it says",
        tell: |world| damage(world, &world.tag.clone()),
        wrong: &["tag.image"],
        unchecked: of_an_image!(),
    },
    Lie {
        name: "registry answers with another manifest of a platform",
        tell: |world| damage(world, world.platforms()[0].as_str()),
        wrong: &["image.present"],
        unchecked: &["image.labels", "image.content", "image.base", "image.machine", "sbom.components"],
    },
    Lie {
        name: "registry answers with another config",
        tell: |world| damage(world, blob(world, "/config/digest").as_str()),
        wrong: &["image.present"],
        unchecked: &["image.labels", "image.content", "image.base", "image.machine", "sbom.components"],
    },
    Lie {
        name: "registry has lost a config",
        tell: |world| drop(world.blobs.remove(&blob(world, "/config/digest"))),
        wrong: &["image.present"],
        unchecked: &["image.labels", "image.content", "image.base", "image.machine", "sbom.components"],
    },
    Lie {
        name: "registry has lost a layer",
        tell: |world| drop(world.layers.remove(&last_layer(world))),
        wrong: &["image.present"],
        unchecked: &["image.content", "image.base", "image.machine", "sbom.components"],
    },
    Lie {
        name: "registry answers with another layer",
        tell: |world| drop(world.layers.insert(last_layer(world), None)),
        wrong: &["image.content"],
        unchecked: &["image.base", "image.machine", "sbom.components"],
    },
    Lie {
        name: "registry lists no tags, although it has the version tag",
        tell: |world| world.unlisted = world.tags.keys().cloned().collect(),
        wrong: &[],
        unchecked: &["attachments", "latest", "key.continuity"],
    },
    Lie {
        name: "registry does not answer",
        tell: |world| world.silent_registry = Some("connection refused"),
        wrong: &[],
        unchecked: of_an_image!("tag.image", "latest", "key.continuity"),
    },
    Lie {
        name: "forge does not answer",
        tell: |world| world.silent_forge = Some("connection refused"),
        wrong: &[],
        unchecked: &["provenance.run", "tag.git", "page.state", "page.image", "page.commands", "page.assets"],
    },
];

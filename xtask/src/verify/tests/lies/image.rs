//! Lies about the image, most of them by somebody who has the key: the image is signed, attested, tagged and on the
//! page as a release is, but it is another image.

use super::super::image::{Parts, label};
use super::super::world::World;
use super::Lie;
use crate::contents::elf;
use crate::contents::layer::tests::file;
use crate::oci::manifest::MAX_LAYERS;

/// Releases the image with a changed label of the first platform.
fn relabel(world: &mut World, key: &str, value: &str) {
    world.release_changed(|_, parts| label(&mut parts.platforms[0].config["config"]["Labels"], key, value));
}

/// A program for s390x, a machine that nothing here is released for.
fn elsewhere() -> Vec<u8> {
    elf::tests::file(22, true, true, "", "libc.so.6")
}

/// Swaps the two platforms' images.
fn swap(parts: &mut Parts) {
    let first = parts.platforms[0].entry["platform"].take();
    parts.platforms[0].entry["platform"] = parts.platforms[1].entry["platform"].take();
    parts.platforms[1].entry["platform"] = first;
}

pub(super) const LIES: &[Lie] = &[
    Lie {
        // cosign accepts what does not exist. The index says which platforms the image is for, but not its labels.
        name: "a platform's manifest deleted",
        tell: |world| {
            let platform = world.platforms().remove(1);
            world.blobs.remove(&platform);
        },
        wrong: &["image.present"],
        unchecked: &["image.labels", "image.content", "image.base", "image.machine", "sbom.components"],
    },
    Lie {
        name: "one platform missing",
        tell: |world| world.release_changed(|_, parts| drop(parts.platforms.pop())),
        wrong: &["image.platforms"],
        unchecked: &["image.content", "image.base", "image.machine", "sbom.components"],
    },
    Lie {
        name: "the platforms' images swapped",
        tell: |world| world.release_changed(|_, parts| swap(parts)),
        wrong: &["image.platforms"],
        unchecked: &["image.content", "image.base", "image.machine", "sbom.components"],
    },
    Lie {
        name: "a config for another platform",
        tell: |world| {
            world.release_changed(|_, parts| parts.platforms[0].config["architecture"] = "riscv64".into());
        },
        wrong: &["image.platforms"],
        unchecked: &["image.content", "image.base", "image.machine", "sbom.components"],
    },
    Lie {
        name: "label `revision` of another commit",
        tell: |world| relabel(world, "revision", "00000000000000000000000000000000000000ff"),
        wrong: &["image.labels"],
        unchecked: &[],
    },
    Lie {
        name: "label `version` of another version",
        tell: |world| relabel(world, "version", "0.2.1"),
        wrong: &["image.labels"],
        unchecked: &[],
    },
    Lie {
        name: "label `source` of another repository",
        tell: |world| relabel(world, "source", "https://forge.example.org/acme/carol"),
        wrong: &["image.labels"],
        unchecked: &[],
    },
    Lie {
        name: "label `created` of another time",
        tell: |world| relabel(world, "created", "2001-01-01T00:00:00Z"),
        wrong: &["image.labels"],
        unchecked: &[],
    },
    Lie {
        name: "annotation `version` of a platform's manifest",
        tell: |world| {
            world.release_changed(|_, parts| {
                label(&mut parts.platforms[1].manifest["annotations"], "version", "0.2.1");
            });
        },
        wrong: &["image.labels"],
        unchecked: &[],
    },
    Lie {
        name: "annotation `version` of the index",
        tell: |world| {
            world.release_changed(|_, parts| label(&mut parts.index["annotations"], "version", "0.2.1"));
        },
        wrong: &["image.labels"],
        unchecked: &[],
    },
    Lie {
        name: "other files in a layer than the config says",
        tell: |world| {
            let files = [file("app/src/server.js", b"// another service")];
            world.release_changed(|world, parts| world.replace_last_layer(parts, &files));
        },
        wrong: &["image.content"],
        unchecked: &["image.base", "image.machine", "sbom.components"],
    },
    Lie {
        name: "another size of a layer than it has, in a platform's manifest",
        tell: |world| {
            world.release_changed(|_, parts| {
                let layers = parts.platforms[1].manifest["layers"].as_array_mut().expect("it has layers");
                let size = &mut layers.last_mut().expect("it has one")["size"];
                *size = (size.as_u64().expect("a number") - 1).into();
            });
        },
        wrong: &["image.content"],
        unchecked: &["image.base", "image.machine", "sbom.components"],
    },
    Lie {
        name: "a layer that the config does not name",
        tell: |world| {
            world.release_changed(|world, parts| {
                world.add_layer(parts, &[]);
                for platform in &mut parts.platforms {
                    let known = platform.config["rootfs"]["diff_ids"].as_array_mut();
                    known.expect("a config has layers").pop();
                }
            });
        },
        wrong: &["image.content"],
        unchecked: &["image.base", "image.machine", "sbom.components"],
    },
    Lie {
        name: "more layers than an image can have",
        tell: |world| {
            world.release_changed(|_, parts| {
                let layers = parts.platforms[0].manifest["layers"].as_array_mut().expect("it has layers");
                let last = layers.last().expect("it has a layer").clone();
                layers.resize(MAX_LAYERS + 1, last);
            });
        },
        wrong: &["image.present"],
        unchecked: &["image.labels", "image.content", "image.base", "image.machine", "sbom.components"],
    },
    Lie {
        name: "another base image than the Dockerfile pins",
        tell: |world| {
            world.release_changed(|_, parts| {
                for platform in &mut parts.platforms {
                    let layers = platform.manifest["layers"].as_array_mut().expect("a manifest has layers");
                    layers.remove(0);
                    platform.config["rootfs"]["diff_ids"]
                        .as_array_mut()
                        .expect("a config has layers")
                        .remove(0);
                }
            });
        },
        wrong: &["image.base"],
        unchecked: &["sbom.components"],
    },
    Lie {
        name: "a layer below those of the base image",
        tell: |world| {
            world.release_changed(|world, parts| {
                world.add_layer(parts, &[file("etc/added", b"")]);
                for platform in &mut parts.platforms {
                    let last_first = |list: &mut serde_json::Value| {
                        list.as_array_mut().expect("a list of layers").rotate_right(1);
                    };
                    last_first(&mut platform.manifest["layers"]);
                    last_first(&mut platform.config["rootfs"]["diff_ids"]);
                }
            });
        },
        wrong: &["image.base"],
        unchecked: &["sbom.components"],
    },
    Lie {
        name: "a binary for another platform in an extra layer",
        tell: |world| {
            let files = [file("app/x.node", &elsewhere())];
            world.release_changed(|world, parts| world.add_layer(parts, &files));
        },
        wrong: &["image.machine"],
        unchecked: &[],
    },
    Lie {
        name: "a package that is not the lockfile's in an extra layer",
        tell: |world| {
            let package = br#"{"name": "left-pad", "version": "1.3.0"}"#;
            let files = [file("app/node_modules/left-pad/package.json", package)];
            world.release_changed(|world, parts| world.add_layer(parts, &files));
        },
        wrong: &["sbom.components"],
        unchecked: &[],
    },
    Lie {
        name: "a package removed by an extra layer",
        tell: |world| {
            let files = [file("app/node_modules/.wh.fastify", b"")];
            world.release_changed(|world, parts| world.add_layer(parts, &files));
        },
        wrong: &["sbom.components"],
        unchecked: &[],
    },
];

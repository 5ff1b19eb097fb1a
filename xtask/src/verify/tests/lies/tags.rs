//! Lies about the tags: the registry's version tag and `latest`, git's tag, and the origin of the tagged commit.

use serde_json::json;

use super::super::image::OLDER;
use super::super::world::World;
use super::Lie;
use crate::inputs::signers::Signers;
use crate::tool::git::{Commit, Signer};
use crate::verify::claim::Unavailable;
use crate::verify::observe::ObservedSigners;

/// Puts `latest` on the version `tag`, with an image made for it.
fn latest_on(world: &mut World, tag: &str) {
    let older = world.release_older();
    let mut index = world.json(older.as_str());
    index["annotations"]["org.opencontainers.image.version"] = json!(tag.trim_start_matches('v'));
    let digest = world.put(&index);
    world.tags.insert(tag.to_owned(), digest.clone());
    world.tags.insert("latest".to_owned(), digest);
}

/// Who signed the version's own tag.
fn first(world: &World) -> Signer {
    match &world.source.signers {
        Some(Ok(ObservedSigners { signers: Signers { release: Ok(signer), .. }, .. })) => signer.clone(),
        _ => panic!("the tag is signed"),
    }
}

/// Requires two signers; `approval` says who the second one is.
fn approved(world: &mut World, approval: Result<Signer, String>) {
    let signers = Signers { release: Ok(first(world)), approval: Some(approval) };
    let tag = world.tag.parse().expect("a release tag");
    signed(world, signers.without_self_approval(&tag, b""));
}

/// Replaces the people who signed; the list of signers stays the same.
fn signed(world: &mut World, signers: Signers) {
    match &mut world.source.signers {
        Some(Ok(seen)) => seen.signers = signers,
        _ => panic!("the tag is signed"),
    }
}

pub(super) const LIES: &[Lie] = &[
    Lie {
        // `latest` still names the honest image, which no longer has a version tag.
        name: "version tag moved to an image that nobody signed",
        tell: |world| world.push_changed(|world, parts| world.add_layer(parts, &[])),
        wrong: &[
            "signature",
            "signature.platforms",
            "provenance",
            "sbom",
            "page.image",
            "page.commands",
            "latest",
        ],
        unchecked: &["attachments", "provenance.*", "sbom.components", "smoke"],
    },
    Lie {
        // By the key, and with everything that belongs to it, but for another version and commit.
        name: "version tag moved to the signed image of an older release",
        tell: |world| {
            let older = world.release_older();
            world.tags.insert(world.tag.clone(), older);
        },
        wrong: &[
            "image.labels",
            "signature",
            "signature.platforms",
            "provenance.source",
            "provenance.inputs",
            "sbom.components",
            "smoke",
            "page.image",
            "page.commands",
            "latest",
        ],
        unchecked: &["attachments"],
    },
    Lie {
        name: "version tag moved to the image of one platform",
        tell: |world| {
            let platform = world.platforms().remove(0);
            world.tags.insert(world.tag.clone(), platform);
        },
        wrong: &["image.platforms", "provenance", "sbom", "page.image", "page.commands", "latest"],
        unchecked: &[
            "image.labels",
            "image.content",
            "image.base",
            "image.machine",
            "signature.platforms",
            "attachments",
            "provenance.*",
            "sbom.components",
            "smoke",
        ],
    },
    Lie {
        // Then the highest version is another one, and `latest` is not on it.
        name: "version tag deleted",
        tell: |world| {
            drop(world.release_older());
            world.tags.remove(&world.tag);
        },
        wrong: &["tag.image", "latest"],
        unchecked: of_an_image!(),
    },
    Lie {
        name: "git tag moved on the forge",
        tell: |world| world.forge_tag = Some(Commit::parse(&"8".repeat(40)).expect("a commit")),
        wrong: &["tag.git"],
        unchecked: &[],
    },
    Lie {
        // The forge turns the page into a draft, which a stranger does not see.
        name: "git tag deleted on the forge",
        tell: |world| {
            world.forge_tag = None;
            world.page.as_mut().expect("a page").draft = true;
        },
        wrong: &["tag.git", "page.state"],
        unchecked: &["page.image", "page.commands", "page.assets"],
    },
    Lie {
        name: "git tag on a commit that was never merged",
        tell: |world| match &mut world.source.branch {
            Some(Ok(branch)) => branch.found = None,
            _ => panic!("the clone knows its branches"),
        },
        wrong: &["source.branch"],
        unchecked: &[],
    },
    Lie {
        name: "git tag that no listed key has signed",
        tell: |world| {
            let why = Err("No principal matched".to_owned());
            signed(world, Signers { release: why, approval: None });
        },
        wrong: &["tag.signed"],
        unchecked: &[],
    },
    Lie {
        name: "no signed tag `approved/…`, where two people must sign",
        tell: |world| approved(world, Err("there is no such tag here".to_owned())),
        wrong: &["tag.signed"],
        unchecked: &[],
    },
    Lie {
        name: "tag `approved/…` signed by the same person, with another key",
        tell: |world| {
            let signer = Signer { fingerprint: format!("SHA256:{}", "b".repeat(43)), ..first(world) };
            approved(world, Ok(signer));
        },
        wrong: &["tag.signed"],
        unchecked: &[],
    },
    Lie {
        name: "tag `approved/…` signed with the same key, under another name",
        tell: |world| {
            let signer = Signer { principal: "bob@example.org".to_owned(), ..first(world) };
            approved(world, Ok(signer));
        },
        wrong: &["tag.signed"],
        unchecked: &[],
    },
    Lie {
        // The forge has the tag, and the clone was made before it.
        name: "a clone that is older than the tag `approved/…`",
        tell: |world| {
            let words = "run `git fetch --tags origin`, then verify again".to_owned();
            world.source.signers = Some(Err(Unavailable::Failed(words)));
        },
        wrong: &[],
        unchecked: &["tag.signed"],
    },
    Lie {
        // The forge has another head than the clone, so the clone may be behind.
        name: "git tag on such a commit, and a clone that is behind the forge",
        tell: |world| {
            let words = "run `git fetch origin`, then verify again".to_owned();
            world.source.branch = Some(Err(Unavailable::Failed(words)));
        },
        wrong: &[],
        unchecked: &["source.branch"],
    },
    Lie {
        name: "`latest` on a release candidate",
        tell: |world| latest_on(world, "v0.3.0-rc.1"),
        wrong: &["latest"],
        unchecked: &[],
    },
    Lie {
        name: "`latest` on a release of an older line",
        tell: |world| {
            latest_on(world, "v0.0.10");
            let present = world.keys.used.clone();
            world.keys.before.push(("v0.0.10", present));
        },
        wrong: &["latest"],
        unchecked: &[],
    },
    Lie {
        name: "`latest` on the release before",
        tell: |world| {
            drop(world.release_older());
            world.tags.insert("latest".to_owned(), world.tags[OLDER].clone());
        },
        wrong: &["latest"],
        unchecked: &[],
    },
    Lie {
        name: "`latest` on an image that nobody signed",
        tell: |world| {
            let mut index = world.json("latest");
            index["annotations"]["org.opencontainers.image.title"] = "another".into();
            let digest = world.put(&index);
            world.tags.insert("latest".to_owned(), digest);
        },
        wrong: &["latest"],
        unchecked: &[],
    },
    Lie {
        name: "`latest` on a higher version that only the registry has",
        tell: |world| latest_on(world, "v99.0.0"),
        wrong: &["latest"],
        unchecked: &[],
    },
    Lie {
        name: "`latest` deleted",
        tell: |world| drop(world.tags.remove("latest")),
        wrong: &["latest"],
        unchecked: &[],
    },
];

//! Lies about keys: one that a commit brings along, a history that was changed, a rotation that nobody endorsed. The
//! release is the first by the second key of its project.

use crate::inputs::PUBLIC_KEY;
use crate::inputs::keys::statement;
use crate::verify::observe::keys::fingerprint;

use super::super::keys::{FOREIGN, OLDER, signature};
use super::super::world::World;
use super::Lie;

/// Makes the list name the present key from another version on, or with further lines.
fn relist(world: &mut World, from: &str, more: &str) {
    let present = world.keys.used.clone();
    let listed = world.keys.list(&[(OLDER.as_bytes(), "0.0.1", ""), (&present, from, more)]);
    listed.expect("they are keys");
}

/// A version between the release before and this one.
const UNRELEASED: &str = "v0.0.10";

/// Adds a git tag of [`UNRELEASED`], at a commit with the present key.
fn tag_before(world: &mut World) {
    let present = world.keys.used.clone();
    world.keys.before.push((UNRELEASED, present));
}

pub(super) const LIES: &[Lie] = &[
    Lie {
        name: "a key of its own in the tagged commit, and everything signed by that",
        tell: |world| world.keys.used = FOREIGN.into(),
        wrong: &["key.history"],
        unchecked: &["key.continuity"],
    },
    Lie {
        name: "the same, in a repository without a history of keys",
        tell: |world| {
            let present = world.keys.used.clone();
            world.keys.files.retain(|path, _| path == PUBLIC_KEY);
            world.keys.before = vec![("v0.0.9", present)];
            world.keys.used = FOREIGN.into();
        },
        wrong: &["key.history"],
        unchecked: &["key.continuity"],
    },
    Lie {
        name: "the same, and a clone that is behind the forge",
        tell: |world| {
            world.keys.used = FOREIGN.into();
            world.keys.is_behind = true;
        },
        wrong: &[],
        unchecked: &["key.history", "key.continuity"],
    },
    Lie {
        // The forge may have taken the key off the list since.
        name: "a clone that is behind the forge",
        tell: |world| world.keys.is_behind = true,
        wrong: &[],
        unchecked: &["key.history", "key.continuity"],
    },
    Lie {
        name: "signed by the key before the rotation",
        tell: |world| world.keys.used = OLDER.into(),
        wrong: &["key.history"],
        unchecked: &[],
    },
    Lie {
        name: "another key on the default branch, and no history of keys",
        tell: |world| {
            world.keys.files.retain(|path, _| path == PUBLIC_KEY);
            world.keys.write(PUBLIC_KEY, FOREIGN.as_bytes());
        },
        wrong: &["key.history"],
        unchecked: &["key.continuity"],
    },
    Lie {
        name: "another key on the default branch, which the history of keys does not have",
        tell: |world| world.keys.write(PUBLIC_KEY, FOREIGN.as_bytes()),
        wrong: &["key.history"],
        unchecked: &["key.continuity"],
    },
    Lie {
        name: "another file in the place of a key of the history",
        tell: |world| world.keys.write("keys/0001.pub", FOREIGN.as_bytes()),
        wrong: &["key.history"],
        unchecked: &["key.continuity"],
    },
    Lie {
        name: "an older version given to the new key in the history",
        tell: |world| relist(world, "0.0.2", ""),
        wrong: &["key.history"],
        unchecked: &["key.continuity"],
    },
    Lie {
        name: "a later version as the first of the new key, which the old one endorses",
        tell: |world| {
            relist(world, "0.2.0", "");
            let [old, new] = [OLDER.as_bytes(), &world.keys.used].map(|pem| fingerprint(pem).expect("a key"));
            let text = statement(&old, &new, &"0.2.0".parse().expect("a version"));
            world.keys.write("keys/0002.endorsement", signature(&old, &text).as_bytes());
        },
        wrong: &["key.history"],
        unchecked: &["key.continuity"],
    },
    Lie {
        name: "an endorsement by the new key itself",
        tell: |world| {
            let [old, new] = [OLDER.as_bytes(), &world.keys.used].map(|pem| fingerprint(pem).expect("a key"));
            let text = statement(&old, &new, &"0.0.10-0".parse().expect("a version"));
            world.keys.write("keys/0002.endorsement", signature(&new, &text).as_bytes());
        },
        wrong: &["key.history"],
        unchecked: &["key.continuity"],
    },
    Lie {
        name: "an endorsement that is not a signature",
        tell: |world| world.keys.write("keys/0002.endorsement", b"no signature"),
        wrong: &["key.history"],
        unchecked: &["key.continuity"],
    },
    Lie {
        name: "an endorsement removed",
        tell: |world| drop(world.keys.files.remove("keys/0002.endorsement")),
        wrong: &["key.history"],
        unchecked: &["key.continuity"],
    },
    Lie {
        name: "an extra field in the history of keys",
        tell: |world| world.keys.edit_list("from", "until = \"9.0.0\"\nfrom"),
        wrong: &["key.history"],
        unchecked: &["key.continuity"],
    },
    Lie {
        name: "a field twice in the history of keys",
        tell: |world| world.keys.edit_list("from", "from = \"0.0.2\"\nfrom"),
        wrong: &["key.history"],
        unchecked: &["key.continuity"],
    },
    Lie {
        name: "an endorsement, and no cosign to judge it",
        tell: |world| world.keys.is_without_cosign = true,
        wrong: &[],
        unchecked: &["key.history", "key.continuity"],
    },
    Lie {
        // The history is right: it says that the previous key was lost.
        name: "a new key that the one before it has not endorsed, since the release before",
        tell: |world| {
            relist(world, "0.0.10-0", "unendorsed = \"the key before it was lost\"");
            world.keys.files.remove("keys/0002.endorsement");
        },
        wrong: &["key.continuity"],
        unchecked: &[],
    },
    Lie {
        name: "a release before by a key that the history does not have",
        tell: |world| world.keys.before = vec![("v0.0.9", FOREIGN.into())],
        wrong: &["key.continuity"],
        unchecked: &[],
    },
    Lie {
        name: "a new key without a history of keys, and a git tag before it by the same key",
        tell: |world| {
            world.keys.files.retain(|path, _| path == PUBLIC_KEY);
            tag_before(world);
        },
        wrong: &["key.continuity"],
        unchecked: &[],
    },
    Lie {
        name: "the same, and the registry lists that tag",
        tell: |world| {
            world.keys.files.retain(|path, _| path == PUBLIC_KEY);
            tag_before(world);
            world.tags.insert(UNRELEASED.to_owned(), world.digest.clone());
        },
        wrong: &["key.continuity"],
        unchecked: &[],
    },
    Lie {
        // Of what it was released with, nothing is known.
        name: "a new key, and no git tag of the release before, which the registry lists",
        tell: |world| {
            world.keys.before.clear();
            world.tags.insert("v0.0.9".to_owned(), world.digest.clone());
        },
        wrong: &[],
        unchecked: &["key.continuity"],
    },
    Lie {
        name: "a new key that the one before it has not endorsed, and a git tag by it that was never released",
        tell: |world| {
            relist(world, "0.0.10-0", "unendorsed = \"the key before it was lost\"");
            world.keys.files.remove("keys/0002.endorsement");
            tag_before(world);
        },
        wrong: &["key.continuity"],
        unchecked: &[],
    },
];

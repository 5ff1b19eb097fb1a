//! Lies about signatures, and about what else is attached to the digest. The attachments are counted against what
//! cosign accepts. If it accepts no signature, nobody can say which of them is one too many, and `attachments` is
//! unchecked.

use serde_json::json;

use super::super::change::Key;
use super::super::world::World;
use super::Lie;
use crate::evidence::attached::{Kind, PROVENANCE_PREDICATE, SBOM_PREDICATE};
use crate::oci::reference::Digest;

/// Signs the released image in place of its own signature.
fn sign(world: &mut World, version: Option<&str>, by: Key) {
    let digest = world.digest.clone();
    world.sign_anew(&digest, version, by);
}

/// Signs the released image again, beside its own signature.
fn sign_beside(world: &mut World, version: &str, by: Key) {
    let digest = world.digest.clone();
    let layer = world.signature(&digest, Some(version), by);
    world.attach(Kind::Signatures, layer);
}

/// Attests the same again, by another key.
fn attest_beside(world: &mut World, kind: &str) {
    let (digest, predicate) = (world.digest.clone(), world.predicate(kind));
    let layer = world.attestation(&digest, kind, &predicate, Key::Other);
    world.attach(Kind::Attestations, layer);
}

pub(super) const LIES: &[Lie] = &[
    Lie {
        name: "signature removed",
        tell: |world| drop(world.tags.remove(Kind::Signatures.tag(&world.digest).as_str())),
        wrong: &["signature", "page.commands"],
        unchecked: &["attachments"],
    },
    Lie {
        name: "signature copied from another digest",
        tell: |world| {
            let older = world.release_older();
            let theirs = world.tags[Kind::Signatures.tag(&older).as_str()].clone();
            world.tags.insert(Kind::Signatures.tag(&world.digest).to_string(), theirs);
        },
        wrong: &["signature", "page.commands"],
        unchecked: &["attachments"],
    },
    Lie {
        name: "signed by another key instead",
        tell: |world| sign(world, Some(&world.version()), Key::Other),
        wrong: &["signature", "page.commands"],
        unchecked: &["attachments"],
    },
    Lie {
        name: "signed by the key, as of another repository, instead",
        tell: |world| {
            let name = std::mem::replace(&mut world.image, "forge.example.org/acme/other".to_owned());
            let version = world.version();
            sign(world, Some(&version), Key::Own);
            world.image = name;
        },
        wrong: &["signature"],
        unchecked: &[],
    },
    Lie {
        name: "signed by the key, without a version, instead",
        tell: |world| sign(world, None, Key::Own),
        wrong: &["signature", "page.commands"],
        unchecked: &["attachments"],
    },
    Lie {
        name: "signed by the key, with another version, instead",
        tell: |world| sign(world, Some("0.0.9"), Key::Own),
        wrong: &["signature", "page.commands"],
        unchecked: &["attachments"],
    },
    Lie {
        // cosign shows what it accepts; counting detects the rest.
        name: "another key's signature beside ours",
        tell: |world| sign_beside(world, &world.version(), Key::Other),
        wrong: &["attachments"],
        unchecked: &[],
    },
    Lie {
        name: "the key's signature with another version beside ours",
        tell: |world| sign_beside(world, "0.0.9", Key::Own),
        wrong: &["attachments"],
        unchecked: &[],
    },
    Lie {
        name: "signature of a platform's manifest removed",
        tell: |world| {
            let platform = world.platforms().remove(0);
            world.tags.remove(Kind::Signatures.tag(&platform).as_str());
        },
        wrong: &["signature.platforms"],
        unchecked: &["attachments"],
    },
    Lie {
        name: "a platform's manifest signed by another key instead",
        tell: |world| {
            let (platform, version) = (world.platforms().remove(1), world.version());
            world.sign_anew(&platform, Some(&version), Key::Other);
        },
        wrong: &["signature.platforms"],
        unchecked: &["attachments"],
    },
    Lie {
        name: "a platform's manifest signed with another version instead",
        tell: |world| {
            let platform = world.platforms().remove(1);
            world.sign_anew(&platform, Some("0.0.9"), Key::Own);
        },
        wrong: &["signature.platforms"],
        unchecked: &["attachments"],
    },
    Lie {
        name: "a bundle of cosign 3 by another key beside ours",
        tell: |world| {
            let bundle = world.put(&json!({ "schemaVersion": 2, "manifests": [] }));
            world.tags.insert(format!("sha256-{}", world.digest.hex()), bundle);
        },
        wrong: &["attachments"],
        unchecked: &[],
    },
    Lie {
        name: "an SBOM in a format that nobody signs beside ours",
        tell: |world| {
            let sbom = world.put(&json!({ "schemaVersion": 2, "layers": [] }));
            world.tags.insert(format!("sha256-{}.sbom", world.digest.hex()), sbom);
        },
        wrong: &["attachments"],
        unchecked: &[],
    },
    Lie {
        name: "an attestation of a third type, by the key",
        tell: |world| {
            let digest = world.digest.clone();
            let approved = json!({ "by": "all" });
            let layer = world.attestation(&digest, "https://example.org/approved", &approved, Key::Own);
            world.attach(Kind::Attestations, layer);
        },
        wrong: &["attachments"],
        unchecked: &[],
    },
    Lie {
        name: "another key's provenance beside ours",
        tell: |world| attest_beside(world, PROVENANCE_PREDICATE),
        wrong: &["attachments"],
        unchecked: &[],
    },
    Lie {
        name: "another key's SBOM beside ours",
        tell: |world| attest_beside(world, SBOM_PREDICATE),
        wrong: &["attachments"],
        unchecked: &[],
    },
    Lie {
        name: "an attestation of another digest, by the key, beside ours",
        tell: |world| {
            let predicate = world.predicate(PROVENANCE_PREDICATE);
            let elsewhere = Digest::of(b"no image");
            let layer = world.attestation(&elsewhere, PROVENANCE_PREDICATE, &predicate, Key::Own);
            world.attach(Kind::Attestations, layer);
        },
        wrong: &["attachments"],
        unchecked: &[],
    },
];

//! Lies about signatures, and about what else is attached to the digest. What is attached is counted against what
//! cosign accepts: where it accepts no signature, nobody can say which of what is there is too much, and `attachments`
//! is unchecked.

use anyhow::Result;
use serde_json::json;
use xtask::evidence::attached::PROVENANCE_PREDICATE;

use super::Lie;
use super::attached::{SBOM_TYPE, stored_as};
use super::honest::OLDER;
use super::judge::check;
use crate::harness::test;

const VERSION: [&str; 2] = ["-a", "version=0.2.0"];
const OTHER_VERSION: [&str; 2] = ["-a", "version=0.1.0"];

pub(super) const LIES: &[Lie] = &[
    Lie {
        name: "signature removed",
        make: |honest| honest.unsign(),
        wrong: &["signature", "page.commands"],
        unchecked: &["attachments"],
    },
    Lie {
        name: "signature copied from another digest",
        make: |honest| {
            let theirs = stored_as(&honest.digest_of(OLDER)?, "sig");
            honest.move_tag(&stored_as(&honest.digest, "sig"), &theirs)
        },
        wrong: &["signature", "page.commands"],
        unchecked: &["attachments"],
    },
    Lie {
        name: "signed by another key instead",
        make: |honest| {
            honest.unsign()?;
            honest.other.sign(&honest.digest, &VERSION)
        },
        wrong: &["signature", "page.commands"],
        unchecked: &["attachments"],
    },
    Lie {
        name: "signed by the key, without a version, instead",
        make: |honest| honest.sign_anew(&[]),
        wrong: &["signature", "page.commands"],
        unchecked: &["attachments"],
    },
    Lie {
        name: "signed by the key, with another version, instead",
        make: |honest| honest.sign_anew(&OTHER_VERSION),
        wrong: &["signature", "page.commands"],
        unchecked: &["attachments"],
    },
    Lie {
        // cosign shows what it accepts; the rest is seen by counting.
        name: "another key's signature beside ours",
        make: |honest| honest.other.sign(&honest.digest, &VERSION),
        wrong: &["attachments"],
        unchecked: &[],
    },
    Lie {
        name: "the key's signature with another version beside ours",
        make: |honest| honest.own.sign(&honest.digest, &OTHER_VERSION),
        wrong: &["attachments"],
        unchecked: &[],
    },
    Lie {
        name: "signature of a platform's manifest removed",
        make: |honest| honest.registry.delete(&stored_as(&honest.manifests()?[0], "sig")),
        wrong: &["signature.platforms"],
        unchecked: &[],
    },
    Lie {
        name: "a platform's manifest signed by another key instead",
        make: |honest| {
            let manifest = &honest.manifests()?[1];
            honest.registry.delete(&stored_as(manifest, "sig"))?;
            honest.other.sign(manifest, &VERSION)
        },
        wrong: &["signature.platforms"],
        unchecked: &[],
    },
    Lie {
        name: "a bundle of cosign 3 by another key beside ours",
        make: |honest| honest.other.sign_in_a_bundle(&honest.digest),
        wrong: &["attachments"],
        unchecked: &[],
    },
    Lie {
        name: "an attestation of a third type, by the key",
        make: |honest| {
            honest.own.attest(&honest.digest, "https://example.org/approved", &json!({ "by": "all" }), &[])
        },
        wrong: &["attachments"],
        unchecked: &[],
    },
    Lie {
        name: "another key's provenance beside ours",
        make: |honest| honest.other.attest(&honest.digest, PROVENANCE_PREDICATE, &honest.provenance, &[]),
        wrong: &["attachments"],
        unchecked: &[],
    },
    Lie {
        name: "another key's SBOM beside ours",
        make: |honest| honest.other.attest(&honest.digest, SBOM_TYPE, &honest.sbom, &[]),
        wrong: &["attachments"],
        unchecked: &[],
    },
];

#[test]
fn lies_about_signatures() -> Result<()> {
    test(|| check(LIES))
}

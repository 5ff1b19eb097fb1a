//! Lies about signatures, and about other attachments of the digest.

use xtask::evidence::bundle;

use super::Lie;

const VERSION: [&str; 2] = ["-a", "version=0.2.0"];

pub(super) const LIES: &[Lie] = &[
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
        name: "a bundle of cosign 3 by another key beside ours",
        make: |honest| honest.other.sign_in_a_bundle(&honest.digest),
        wrong: &["attachments"],
        unchecked: &[],
    },
    Lie {
        name: "bundles removed",
        make: |honest| honest.registry.delete(bundle::tag(&honest.digest).as_str()),
        wrong: &["attachments"],
        unchecked: &[],
    },
];

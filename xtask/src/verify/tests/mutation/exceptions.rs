//! The changes after which every claim still holds, and why that is right.

use super::documents::Who;
use super::json::Op;

/// A group of such changes, all by somebody with the key.
pub(super) struct Exception {
    /// What the document's name begins with.
    pub(super) document: &'static str,
    /// The path to the field, where `*` is any number. A path that ends in `/` covers everything below it, and `/`
    /// alone covers the whole document.
    pub(super) path: &'static str,
    /// The kinds of change; all of them if empty.
    pub(super) ops: &'static [Op],
    /// Why that is not a lie.
    pub(super) why: Why,
}

/// Why a change may go undetected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// Only the claim `rebuild` can detect it, because the right value follows from running the build. A test checks
    /// that `rebuild` does.
    Rebuild,
    /// It is not evidence.
    Because(&'static str),
}

impl Exception {
    /// Whether the exception covers this change.
    pub(super) fn covers(&self, document: &str, pointer: &str, op: Op, who: Who) -> bool {
        let is_of_kind = self.ops.is_empty() || self.ops.contains(&op);
        if who != Who::Signer || !document.starts_with(self.document) || !is_of_kind {
            return false;
        }
        let numberless: String = pointer
            .split('/')
            .skip(1)
            .map(|step| if step.parse::<usize>().is_ok() { "/*".to_owned() } else { format!("/{step}") })
            .collect();
        match self.path.strip_suffix('/') {
            Some(above) => numberless.starts_with(above),
            None => numberless == self.path,
        }
    }
}

const fn because(
    document: &'static str,
    path: &'static str,
    ops: &'static [Op],
    why: &'static str,
) -> Exception {
    Exception { document, path, ops, why: Why::Because(why) }
}

const OPTIONAL: &str = "the image specification does not require it, and the registry sends it as well";
const PROVENANCE: &str = "statement of the provenance";
const SAID: &[Op] = &[Op::Change, Op::Other];

pub(super) const EXCEPTIONS: &[Exception] = &[
    Exception { document: "config ", path: "/", ops: &[], why: Why::Rebuild },
    because(
        PROVENANCE,
        "/predicate/runDetails/metadata/invocationId",
        SAID,
        "only the signer says which attempt it was, and only the forge knows",
    ),
    because(
        PROVENANCE,
        "/predicate/runDetails/builder/version/",
        &[Op::Delete, Op::Spell, Op::Change, Op::Other, Op::More],
        "only the signer says which programs built it, and which ones there are depends on the machine",
    ),
    because(
        "statement of the ",
        "/subject/*/name",
        &[Op::Change],
        "where the image was when it was signed: a copy is elsewhere, and the digest says which image it is",
    ),
    because(
        "signature of the ",
        "/optional/bundle",
        &[Op::Delete],
        "a signature from before bundles does not mention them, and the release may have been given some since",
    ),
    because(
        "envelope of the ",
        "/signatures/*/keyid",
        &[Op::Delete],
        "an empty `keyid` says no more than a missing one, and cosign writes both",
    ),
    because(
        "manifest of the ",
        "/layers/*/size",
        SAID,
        "the size of an attachment: every client compares it with what it gets, and the digest names the bytes",
    ),
    because("index", "/mediaType", &[Op::Delete], OPTIONAL),
    because("manifest ", "/mediaType", &[Op::Delete], OPTIONAL),
    because(
        "manifest of the ",
        "/config/digest",
        SAID,
        "cosign's config of what is attached, which nobody reads",
    ),
    because("manifest of the signature of the ", "/config", &[Op::Other], "likewise"),
    because("manifest of the ", "/config/size", SAID, "likewise"),
    because(
        "manifest of the attestations",
        "/layers/*",
        &[Op::Swap],
        "the order of what is attached says nothing",
    ),
    because(
        "index of the bundles",
        "/manifests/*",
        &[Op::Swap],
        "the order of what is attached says nothing",
    ),
];

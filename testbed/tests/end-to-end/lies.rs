//! Lies on real servers. There is one honest release on the real forge. The tests make one change at a time to it, of a
//! kind that somebody could make afterwards: in the registry, on the forge, or on the way. Each change must make false
//! exactly the claims that it concerns. Claims that it makes impossible to check are unchecked, and all others still
//! hold. Once the change is undone, the release verifies again. Every kind of lie is told about a recorded release
//! (`xtask/src/verify/tests/lies.rs`). The lies here show that cosign, the registry and the forge behave as those tests
//! assume. docs/verification-tests.md has both tables.

/// Every claim that cannot be checked if no image is found, and `more`.
macro_rules! of_an_image {
    ($($more:literal),*) => {
        &[
            "image.*",
            "signature",
            "signature.platforms",
            "attachments",
            "provenance",
            "provenance.*",
            "sbom",
            "sbom.components",
            "smoke",
            // Nobody knows which image the page is about.
            "page.image",
            "page.commands",
            "page.assets",
            $($more),*
        ]
    };
}

mod attached;
mod files;
mod honest;
mod image;
mod judge;
mod latest;
mod network;
mod page;
mod provenance;
mod registry;
mod replaced;
mod sbom;
mod signatures;
mod state;
mod surgery;
mod table;
mod tags;

use anyhow::Result;

use honest::Honest;

use crate::harness::test;

/// One change to the honest release.
pub(crate) struct Lie {
    /// The change, as in the table.
    name: &'static str,
    /// Makes the change. One undo serves all changes: [`Honest::undo`] restores the saved state.
    make: fn(&Honest) -> Result<()>,
    /// The claims that must be false; `provenance.*` is every claim with this prefix.
    wrong: &'static [&'static str],
    /// The claims that must be unchecked, in the same notation.
    unchecked: &'static [&'static str],
}

/// Grouped by subject.
const TOPICS: [&[Lie]; 8] = [
    tags::LIES,
    signatures::LIES,
    provenance::LIES,
    sbom::LIES,
    image::LIES,
    page::LIES,
    latest::LIES,
    network::LIES,
];

#[test]
fn one_lie_of_each_topic_makes_exactly_its_claims_false() -> Result<()> {
    test(|| judge::check(TOPICS.map(|lies| &lies[..1])))
}

#[test]
#[ignore = "long: `cargo xtask ci --all`"]
fn every_lie_makes_exactly_its_claims_false() -> Result<()> {
    test(|| judge::check(TOPICS))
}

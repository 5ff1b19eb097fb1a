//! Lies that are told on real servers: one honest release on the real forge, and then one change at a time that somebody
//! could make to it afterwards: in the registry, on the forge, or on the way. Each must make exactly the claims false that
//! it is about; what cannot be looked at because of it is unchecked, and everything else still holds. Undone, the release
//! verifies again. All kinds of lies are told about a recorded release (`xtask/src/verify/tests/lies.rs`): here are those
//! that show that cosign, the registry and the forge do what that one takes for granted. docs/verifying.md has both tables.

/// Every claim that there is nothing to look at for where no image is found, and `more`.
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
            // Which image the page is about, nobody knows.
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
    /// What was done, as the table has it.
    name: &'static str,
    /// Does it. One undo serves all: [`Honest::undo`] puts the saved state back.
    make: fn(&Honest) -> Result<()>,
    /// The claims that must be false; `provenance.*` is every claim that begins so.
    wrong: &'static [&'static str],
    /// The claims that must be unchecked, written likewise.
    unchecked: &'static [&'static str],
}

/// By what they are about.
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
fn every_lie_makes_exactly_its_claims_false() -> Result<()> {
    test(|| judge::check(TOPICS))
}

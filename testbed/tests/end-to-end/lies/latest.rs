//! Lies about the tag `latest`, on which nothing else depends.

use anyhow::Result;

use super::Lie;
use super::honest::{Honest, OLDER};
use super::judge::check;
use super::registry::Manifest;
use crate::harness::test;

/// Puts `latest` on the version `tag`, an image of its own that is made for it.
fn latest_on(honest: &Honest, tag: &str) -> Result<()> {
    let mut index = honest.registry.manifest(OLDER)?.json()?;
    index["annotations"]["org.opencontainers.image.version"] = tag.trim_start_matches('v').into();
    let index = Manifest::of(&index)?;
    honest.registry.put(tag, &index)?;
    honest.registry.put("latest", &index)
}

pub(super) const LIES: &[Lie] = &[
    Lie {
        name: "`latest` on a release candidate",
        make: |honest| latest_on(honest, "v0.3.0-rc.1"),
        wrong: &["latest"],
        unchecked: &[],
    },
    Lie {
        name: "`latest` on a release of an older line",
        make: |honest| latest_on(honest, "v0.1.1"),
        wrong: &["latest"],
        unchecked: &[],
    },
    Lie {
        name: "`latest` on an image that nobody signed",
        make: |honest| {
            let mut index = honest.registry.manifest("latest")?.json()?;
            index["annotations"]["org.opencontainers.image.title"] = "another".into();
            honest.registry.put("latest", &Manifest::of(&index)?)
        },
        wrong: &["latest"],
        unchecked: &[],
    },
    Lie {
        name: "`latest` deleted",
        make: |honest| honest.registry.delete("latest"),
        wrong: &["latest"],
        unchecked: &[],
    },
];

#[test]
fn lies_about_latest() -> Result<()> {
    test(|| check(LIES))
}

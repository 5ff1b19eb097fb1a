//! Lies about the tag `latest`, on which nothing else depends.

use anyhow::Result;

use super::Lie;
use super::honest::{BACKPORT, CANDIDATE};
use super::judge::check;
use super::registry::Manifest;
use crate::harness::test;

pub(super) const LIES: &[Lie] = &[
    Lie {
        name: "`latest` on a release candidate",
        make: |honest| honest.move_tag("latest", CANDIDATE),
        wrong: &["latest"],
        unchecked: &[],
    },
    Lie {
        name: "`latest` on a release of an older line",
        make: |honest| honest.move_tag("latest", BACKPORT),
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

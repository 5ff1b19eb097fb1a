//! A lie about the tag `latest`, on which nothing else depends.

use super::Lie;
use super::registry::Manifest;

pub(super) const LIES: &[Lie] = &[Lie {
    name: "`latest` on an image that nobody signed",
    make: |honest| {
        let mut index = honest.registry.manifest("latest")?.json()?;
        index["annotations"]["org.opencontainers.image.title"] = "another".into();
        honest.registry.put("latest", &Manifest::of(&index)?)
    },
    wrong: &["latest"],
    unchecked: &[],
}];

//! The versions that a registry has, and where `latest` belongs.

use anyhow::Result;

use crate::inputs::source::release_tags;
use crate::inputs::version::{ReleaseTag, highest_stable};
use crate::oci::registry::Client;

/// The registry's tags, listed once.
pub struct Known {
    tags: Vec<String>,
    highest: Option<ReleaseTag>,
}

impl Known {
    /// Lists the tags.
    ///
    /// # Errors
    /// When the registry does not answer.
    pub fn ask(registry: &Client) -> Result<Self> {
        registry.tags().map(Self::of)
    }

    /// From a list of tags.
    #[must_use]
    pub fn of(tags: Vec<String>) -> Self {
        let highest = highest_stable(&release_tags(&tags)).cloned();
        Self { tags, highest }
    }

    /// The highest stable version that is released, which is where `latest` belongs. A git tag alone is not a release:
    /// a version whose release failed must not hold `latest` back (docs/decisions/0008-latest-follows-the-registry.md).
    #[must_use]
    pub fn highest(&self) -> Option<&ReleaseTag> {
        self.highest.as_ref()
    }

    /// As [`Known::highest`], if `tag` were released too.
    #[must_use]
    pub fn highest_with<'a>(&'a self, tag: &'a ReleaseTag) -> Option<&'a ReleaseTag> {
        self.highest.iter().chain(Some(tag).filter(|tag| tag.is_stable())).max()
    }

    /// All tags.
    #[must_use]
    pub fn tags(&self) -> &[String] {
        &self.tags
    }
}

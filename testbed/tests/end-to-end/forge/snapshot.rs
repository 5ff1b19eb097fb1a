//! Everything that a release leaves for others to see, to detect whether something has changed.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use testbed::forge_client::Release;

use super::project::Project;

/// Tags with their digests, and pages.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Snapshot {
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) pages: Vec<Release>,
}

impl Snapshot {
    pub(crate) fn of(project: &Project) -> Result<Self> {
        let mut tags = BTreeMap::new();
        for tag in project.repository.registry_tags()? {
            let digest = project.digest(&tag)?;
            tags.insert(tag, digest);
        }
        Ok(Self { tags, pages: project.repository.releases()? })
    }

    /// Tags that cosign does not use.
    pub(crate) fn image_tags(&self) -> Vec<&str> {
        self.tags.keys().map(String::as_str).filter(|tag| !tag.starts_with("sha256-")).collect()
    }

    /// The page of `tag`, which must exist exactly once.
    pub(crate) fn page(&self, tag: &str) -> Result<&Release> {
        let mut pages = self.pages.iter().filter(|page| page.tag_name == tag);
        let page = pages.next().with_context(|| format!("there is no page for `{tag}`"))?;
        ensure!(pages.next().is_none(), "`{tag}` has more than one page");
        Ok(page)
    }

    /// Checks that nothing was released here, and that no attempt has left anything.
    pub(crate) fn ensure_empty(&self) -> Result<()> {
        ensure!(self.tags.is_empty() && self.pages.is_empty(), "something was published: {self:#?}");
        Ok(())
    }
}

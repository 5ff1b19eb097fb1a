//! Removes what a release left on the forge, so that the same tag can be released again.

use anyhow::{Result, bail};
use serde::Deserialize;
use xtask::http::Method;

use super::Repository;

/// How often the forge is asked for what is left. One answer lists up to fifty entries.
const ROUNDS: usize = 40;

/// `GET /repos/{o}/{r}/releases`
#[derive(Deserialize)]
struct Page {
    id: u64,
}

impl Repository {
    /// Removes every release, drafts included; git tags stay.
    ///
    /// # Errors
    /// When the forge refuses, or still lists what it has deleted.
    pub fn remove_releases(&self) -> Result<()> {
        for _ in 0..ROUNDS {
            let listed = self.client.expect(&[200], Method::Get, &self.path("releases?limit=50"), None)?;
            let pages: Vec<Page> = listed.json()?;
            if pages.is_empty() {
                return Ok(());
            }
            for page in pages {
                let path = self.path(&format!("releases/{}", page.id));
                drop(self.client.expect(&[204, 404], Method::Delete, &path, None)?);
            }
        }
        bail!("`{}` still has releases after {ROUNDS} rounds of deleting them", self.full_name())
    }

    /// Removes every tag and every manifest of this repository's image.
    ///
    /// # Errors
    /// When the forge refuses, or still lists what it has deleted.
    pub fn remove_image(&self) -> Result<()> {
        for _ in 0..ROUNDS {
            let versions = self.image_versions()?;
            if versions.is_empty() {
                return Ok(());
            }
            for version in versions {
                self.delete_image_version(&version)?;
            }
        }
        bail!("the image of `{}` still has versions after {ROUNDS} rounds of deleting them", self.full_name())
    }
}

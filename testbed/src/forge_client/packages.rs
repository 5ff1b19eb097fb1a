//! The versions of an image as the forge's package list has them: tags, and manifests that have no tag of their own.

use anyhow::{Result, ensure};
use serde::Deserialize;

use super::Repository;

/// One entry of the list.
#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
}

impl Repository {
    /// Tags, and `sha256:…` of manifests without a tag.
    ///
    /// # Errors
    /// When the forge refuses.
    pub fn image_versions(&self) -> Result<Vec<String>> {
        let path = format!("/packages/{}?type=container&limit=50", self.owner);
        let packages: Vec<Package> = self.client.expect(&[200], "GET", &path, None)?.json()?;
        Ok(packages
            .into_iter()
            .filter(|package| package.name == self.name)
            .map(|package| package.version)
            .collect())
    }

    /// Deletes one of them, as the forge's clean-up does.
    ///
    /// # Errors
    /// When the forge refuses, or does not have it.
    pub fn delete_image_version(&self, version: &str) -> Result<()> {
        let path = format!("/packages/{}/container/{}/{version}", self.owner, self.name);
        let response = self.client.api("DELETE", &path, None)?;
        ensure!(response.status == 204, response.unexpected());
        Ok(())
    }
}

//! The versions of an image in the forge's package list: tags, and manifests without a tag.

use anyhow::Result;
use serde::Deserialize;
use xtask::http::Method;

use super::Repository;

/// One entry of the list.
#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
}

impl Repository {
    /// Tags, and `sha256:…` for manifests without a tag.
    ///
    /// # Errors
    /// When the forge refuses.
    pub fn image_versions(&self) -> Result<Vec<String>> {
        let path = format!("/packages/{}?type=container&q={}&limit=50", self.owner, self.name);
        let packages: Vec<Package> = self.client.expect(&[200], Method::Get, &path, None)?.json()?;
        Ok(packages
            .into_iter()
            .filter(|package| package.name == self.name)
            .map(|package| package.version)
            .collect())
    }

    /// Deletes a version, as the forge's clean-up does. It is no error if the version is already gone.
    ///
    /// # Errors
    /// When the forge refuses.
    pub fn delete_image_version(&self, version: &str) -> Result<()> {
        let version = version.replace(':', "%3A");
        let path = format!("/packages/{}/container/{}/{version}", self.owner, self.name);
        self.client.expect(&[204, 404], Method::Delete, &path, None).map(drop)
    }
}

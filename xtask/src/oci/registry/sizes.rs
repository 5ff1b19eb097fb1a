//! The download size of an image per platform.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};

use super::{Client, Got, Wanted};
use crate::oci::index;
use crate::oci::manifest::ImageManifest;
use crate::oci::reference::Reference;

impl Client {
    /// The size of each platform's image at `reference`, in bytes as the registry stores them; `None` when there is no
    /// such image.
    ///
    /// # Errors
    /// When a request fails, or `reference` is not an index of images.
    pub fn sizes<'a>(&self, reference: impl Into<Reference<'a>>) -> Result<Option<BTreeMap<String, u64>>> {
        let Some(index) = self.manifest(reference)? else { return Ok(None) };
        let platforms = index::platforms(&index.bytes)?;
        let wanted: Vec<_> = platforms.iter().map(|(_, digest)| Wanted::Manifest(digest.clone())).collect();
        let manifests = self.batch(&wanted).into_iter().zip(platforms);
        let size = |(manifest, (platform, digest)): (Result<Option<_>>, (String, _))| {
            let manifest: Got = manifest?.with_context(|| format!("there is no `{digest}`"))?;
            Ok((platform, ImageManifest::parse(&manifest.into_bytes())?.size()?))
        };
        manifests.map(size).collect::<Result<_>>().map(Some)
    }
}

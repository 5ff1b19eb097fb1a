//! How large the platforms of an image are.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};

use super::{Client, Got, Wanted};
use crate::oci::{index, size};

/// An index with more platforms is none that a release made.
const MOST_PLATFORMS: usize = 32;

impl Client {
    /// The bytes of each platform's image at `reference`, a tag or digest, as the registry stores it; `None` where there is
    /// no such image.
    ///
    /// # Errors
    /// When the registry cannot be asked, or has something else there than an index of images.
    pub fn sizes(&self, reference: &str) -> Result<Option<BTreeMap<String, u64>>> {
        let Some(index) = self.manifest(reference)? else { return Ok(None) };
        let platforms = index::platforms(&index.bytes)?;
        ensure!(platforms.len() <= MOST_PLATFORMS, "the index has {} platforms", platforms.len());
        let wanted: Vec<_> =
            platforms.iter().map(|(_, digest)| Wanted::Manifest(digest.to_string())).collect();
        let manifests = self.several(&wanted).into_iter().zip(platforms);
        let size = |(manifest, (platform, digest)): (Result<Option<_>>, (String, _))| {
            let manifest: Got = manifest?.with_context(|| format!("there is no `{digest}`"))?;
            Ok((platform, size::of(&manifest.into_bytes())?))
        };
        manifests.map(size).collect::<Result<_>>().map(Some)
    }
}

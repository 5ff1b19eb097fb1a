//! The OCI image index (image specification v1.1, "OCI Image Index"): which platforms an image has, and where.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::{Context as _, Result};
use serde::Deserialize;

use crate::reference::Digest;

#[derive(Deserialize)]
struct Index {
    manifests: Vec<Descriptor>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Descriptor {
    digest: Digest,
    platform: Option<Platform>,
}

/// What an image runs on, as an index has it and as an image's config has it.
#[derive(Deserialize)]
pub struct Platform {
    os: String,
    architecture: String,
    variant: Option<String>,
}

/// `linux/arm64`, with the variant where there is one.
impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        self.variant.as_ref().map_or(Ok(()), |variant| write!(f, "/{variant}"))
    }
}

/// Platform and digest of each manifest.
///
/// # Errors
/// When the bytes are no index: a manifest of a single platform is none.
pub fn platforms(bytes: &[u8]) -> Result<Vec<(String, Digest)>> {
    let named = |manifest: Descriptor| {
        let platform = manifest.platform.map_or_else(|| "no platform".to_owned(), |found| found.to_string());
        (platform, manifest.digest)
    };
    Ok(parse(bytes)?.manifests.into_iter().map(named).collect())
}

/// The annotations of the index itself.
///
/// # Errors
/// As [`platforms`].
pub fn annotations(bytes: &[u8]) -> Result<BTreeMap<String, String>> {
    Ok(parse(bytes)?.annotations)
}

fn parse(bytes: &[u8]) -> Result<Index> {
    serde_json::from_slice(bytes).context("it is not an image index")
}

#[cfg(test)]
mod tests {
    use super::platforms;
    use crate::reference::Digest;
    use serde_json::json;

    #[test]
    fn an_index_names_its_platforms_and_a_manifest_is_none() {
        let digest = Digest::of(b"manifest");
        let index = json!({"schemaVersion": 2, "manifests": [
            {"digest": digest, "platform": {"os": "linux", "architecture": "amd64"}},
            {"digest": digest, "platform": {"os": "linux", "architecture": "arm64", "variant": "v8"}},
        ]});
        let found: Vec<_> =
            platforms(index.to_string().as_bytes()).unwrap().into_iter().map(|(name, _)| name).collect();
        assert_eq!(found, ["linux/amd64", "linux/arm64/v8"]);
        assert!(platforms(br#"{"schemaVersion": 2, "config": {}, "layers": []}"#).is_err());
        assert!(platforms(b"<html>").is_err());
    }
}

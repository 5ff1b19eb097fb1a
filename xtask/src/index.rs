//! The OCI image index (image specification v1.1, "OCI Image Index"): which platforms an image has, and where.

use anyhow::{Context as _, Result};
use serde::Deserialize;

use crate::reference::Digest;

#[derive(Deserialize)]
struct Index {
    manifests: Vec<Descriptor>,
}

#[derive(Deserialize)]
struct Descriptor {
    digest: Digest,
    platform: Option<Platform>,
}

#[derive(Deserialize)]
struct Platform {
    os: String,
    architecture: String,
    variant: Option<String>,
}

/// Platform (`linux/arm64`, with the variant where there is one) and digest of each manifest.
///
/// # Errors
/// When the bytes are no index: a manifest of a single platform is none.
pub fn platforms(bytes: &[u8]) -> Result<Vec<(String, Digest)>> {
    let index: Index = serde_json::from_slice(bytes).context("it is not an image index")?;
    let name = |platform: Platform| match platform.variant {
        Some(variant) => format!("{}/{}/{variant}", platform.os, platform.architecture),
        None => format!("{}/{}", platform.os, platform.architecture),
    };
    let named =
        |manifest: Descriptor| (manifest.platform.map_or("no platform".to_owned(), name), manifest.digest);
    Ok(index.manifests.into_iter().map(named).collect())
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

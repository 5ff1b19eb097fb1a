//! The OCI image index (image specification v1.1, "OCI Image Index"): an image's platforms and their manifests.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use crate::oci::exact;
use crate::oci::manifest::ImageManifest;
use crate::oci::platform::PlatformFields;
use crate::oci::reference::Digest;

/// The largest manifest or index, in bytes: registries need not accept a larger one (distribution specification v1.1,
/// "Pushing Manifests"), and it is read before any signature has been verified.
pub const MAX_SIZE: usize = 4 << 20;

/// No image has more platforms, and each platform costs several requests.
pub const MAX_PLATFORMS: usize = 32;

#[derive(Deserialize)]
struct Index {
    manifests: Vec<Descriptor>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Descriptor {
    digest: Digest,
    platform: Option<PlatformFields>,
}

/// The platform and digest of each manifest.
///
/// # Errors
/// When the bytes are not an index, or it has more than [`MAX_PLATFORMS`] manifests. The manifest of a single
/// platform is not an index.
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
    check_size(bytes)?;
    let index: Index = exact::parse(bytes).context("it is not an image index")?;
    let count = index.manifests.len();
    ensure!(count <= MAX_PLATFORMS, "the index has {count} manifests: expected {MAX_PLATFORMS} at most");
    Ok(index)
}

/// Checks the size of a manifest or an index.
///
/// # Errors
/// When it is larger than [`MAX_SIZE`].
pub fn check_size(bytes: &[u8]) -> Result<()> {
    ensure!(
        bytes.len() <= MAX_SIZE,
        "it has {} bytes: expected {MAX_SIZE} at most, as in any manifest",
        bytes.len()
    );
    Ok(())
}

/// The content of an image, independent of the engine that built it: the config digest of each platform. A config
/// identifies every layer by its uncompressed bytes (image specification v1.1, "Image Configuration",
/// `rootfs.diff_ids`). Manifests and the index identify layers by their compressed bytes, and engines compress
/// differently (docs/facts.md#compression).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content(BTreeMap<String, Digest>);

impl Content {
    /// The content of the image with the index `index`. `manifest` returns the bytes of one of its manifests.
    ///
    /// # Errors
    /// When the index or a manifest cannot be read, or a platform is named twice.
    pub fn of(index: &[u8], manifest: impl Fn(&Digest) -> Result<Vec<u8>>) -> Result<Self> {
        let mut configs = BTreeMap::new();
        for (platform, digest) in platforms(index)? {
            let manifest = ImageManifest::parse(&manifest(&digest)?)
                .with_context(|| format!("reading the manifest `{digest}` of {platform}"))?;
            let earlier = configs.insert(platform.clone(), manifest.config.digest);
            ensure!(earlier.is_none(), "the index names {platform} twice");
        }
        Ok(Self(configs))
    }

    /// The first platform, by name, that differs; `None` when both are the same.
    #[must_use]
    pub fn difference<'a>(&'a self, other: &'a Self) -> Option<&'a str> {
        let platforms = self.0.keys().chain(other.0.keys());
        platforms.map(String::as_str).filter(|name| self.0.get(*name) != other.0.get(*name)).min()
    }
}

#[cfg(test)]
mod tests {
    use super::{Content, MAX_PLATFORMS, MAX_SIZE, platforms};
    use crate::oci::manifest::tests::descriptor;
    use crate::oci::reference::Digest;
    use serde_json::json;

    #[test]
    fn an_index_lists_its_platforms_and_a_manifest_is_not_an_index() {
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
        for wrong in [
            json!({"os": "linux", "architecture": "arm/v7"}),
            json!({"os": "linux/arm", "architecture": "v7"}),
            json!({"os": "linux", "architecture": "arm", "variant": ""}),
            json!({"os": "", "architecture": "arm64"}),
        ] {
            let index = json!({"manifests": [{"digest": digest, "platform": wrong}]}).to_string();
            let error = format!("{:#}", platforms(index.as_bytes()).unwrap_err());
            assert!(error.contains("is no part of a platform"), "{error}");
        }
        let twice = index.to_string().replacen('{', r#"{"Manifests": [], "#, 1);
        assert!(platforms(twice.as_bytes()).is_err(), "{twice}");
    }

    #[test]
    fn an_index_that_is_too_large_or_has_too_many_manifests_is_rejected() {
        let index = |count: usize| {
            let manifests: Vec<_> = (0..count).map(|_| json!({"digest": Digest::of(b"manifest")})).collect();
            json!({"schemaVersion": 2, "manifests": manifests}).to_string()
        };
        assert_eq!(platforms(index(MAX_PLATFORMS).as_bytes()).unwrap().len(), MAX_PLATFORMS);
        let error = format!("{:#}", platforms(index(MAX_PLATFORMS + 1).as_bytes()).unwrap_err());
        assert!(error.contains("the index has 33 manifests: expected 32 at most"), "{error}");
        let padded = |size: usize| index(1) + &" ".repeat(size - index(1).len());
        assert!(platforms(padded(MAX_SIZE).as_bytes()).is_ok());
        let error = format!("{:#}", platforms(padded(MAX_SIZE + 1).as_bytes()).unwrap_err());
        assert!(error.contains("it has 4194305 bytes"), "{error}");
    }

    #[test]
    fn content_is_each_platforms_config_whatever_the_compression_of_the_layers() {
        let manifest = |config: &str, layer: &str| {
            json!({"config": descriptor(config, 1), "layers": [descriptor(layer, 1)]}).to_string()
        };
        let content = |parts: &[(&str, &str, &str)]| {
            let manifests: Vec<_> =
                parts.iter().map(|(_, config, layer)| manifest(config, layer).into_bytes()).collect();
            let entry = |((architecture, _, _), bytes): (&(&str, &str, &str), &Vec<u8>)| json!({"digest": Digest::of(bytes), "platform": {"os": "linux", "architecture": architecture}});
            let entries: Vec<_> = parts.iter().zip(&manifests).map(entry).collect();
            Content::of(json!({"manifests": entries}).to_string().as_bytes(), |digest| {
                Ok(manifests.iter().find(|bytes| &Digest::of(bytes) == digest).unwrap().clone())
            })
        };
        let one = content(&[("amd64", "a", "gzip"), ("arm64", "b", "gzip")]).unwrap();
        let same = content(&[("arm64", "b", "other gzip"), ("amd64", "a", "other gzip")]).unwrap();
        assert_eq!(one, same);
        assert_eq!(one.difference(&same), None);
        let other = content(&[("amd64", "a", "gzip"), ("arm64", "c", "gzip")]).unwrap();
        assert_eq!(one.difference(&other), Some("linux/arm64"));
        let part = content(&[("arm64", "b", "gzip")]).unwrap();
        assert_eq!(
            (one.difference(&part), part.difference(&one)),
            (Some("linux/amd64"), Some("linux/amd64"))
        );
        assert!(content(&[("amd64", "a", "gzip"), ("amd64", "b", "gzip")]).is_err(), "twice");
        assert!(Content::of(b"<html>", |_| Ok(Vec::new())).is_err());
    }
}

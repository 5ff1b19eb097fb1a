//! The manifest of one platform's image (image specification v1.1, "OCI Image Manifest"), as far as it is used.
//! Builders may add fields of their own, which are ignored.

pub mod strict;

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use crate::oci::exact;
use crate::oci::index::check_size;
use crate::oci::reference::Digest;

/// The most layers that container engines support.
pub const MAX_LAYERS: usize = 127;

/// A manifest.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ImageManifest {
    /// The config.
    pub config: Descriptor,
    /// The layers, the lowest first.
    pub layers: Vec<Descriptor>,
    /// The annotations of the manifest itself; `null` means none.
    pub annotations: Option<BTreeMap<String, String>>,
}

/// What a manifest says about a blob (image specification v1.1, "OCI Content Descriptors").
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// The media type.
    pub media_type: String,
    /// The digest of the bytes as the registry stores them: those of a layer are compressed.
    pub digest: Digest,
    /// The number of these bytes.
    pub size: u64,
}

impl ImageManifest {
    /// Reads a manifest.
    ///
    /// # Errors
    /// When the bytes are not an image manifest, are larger than any manifest, or name more than [`MAX_LAYERS`]
    /// layers.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        check_size(bytes)?;
        let manifest: Self = exact::parse(bytes).context("it is not an image manifest")?;
        let count = manifest.layers.len();
        ensure!(count <= MAX_LAYERS, "the image has {count} layers: expected {MAX_LAYERS} at most");
        Ok(manifest)
    }

    /// The total size in bytes of the config and the layers.
    ///
    /// # Errors
    /// When it does not fit 64 bits.
    pub fn size(&self) -> Result<u64> {
        let sum = self.layers.iter().try_fold(self.config.size, |sum, layer| sum.checked_add(layer.size));
        sum.context("the sum of its sizes does not fit 64 bits")
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::{ImageManifest, MAX_LAYERS};
    use crate::oci::reference::Digest;
    use serde_json::{Value, json};

    /// A descriptor of `size` bytes. Its digest is made from `name`.
    pub(crate) fn descriptor(name: &str, size: u64) -> Value {
        let digest = Digest::of(name.as_bytes());
        json!({"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest, "size": size})
    }

    fn parse(manifest: &Value) -> anyhow::Result<ImageManifest> {
        ImageManifest::parse(manifest.to_string().as_bytes())
    }

    #[test]
    fn the_size_is_the_sum_of_the_config_and_all_layers() {
        let sizes = |sizes: &[u64]| {
            let layers: Vec<_> = sizes.iter().map(|size| descriptor("x", *size)).collect();
            parse(&json!({"config": descriptor("config", 5), "layers": layers, "more": 1})).unwrap().size()
        };
        assert_eq!((sizes(&[7, 7]).unwrap(), sizes(&[]).unwrap()), (19, 5));
        assert!(sizes(&[u64::MAX]).is_err());
    }

    #[test]
    fn a_manifest_that_is_ambiguous_or_has_too_many_layers_is_rejected() {
        let manifest = json!({"config": descriptor("config", 5), "layers": [descriptor("x", 7)]});
        assert_eq!(parse(&manifest).unwrap().layers[0].digest, Digest::of(b"x"));
        let nothing = json!({"config": descriptor("config", 5), "layers": [], "annotations": null});
        assert_eq!(parse(&nothing).unwrap().annotations, None);
        let with = |pointer: &str, value: Value| {
            let mut other = manifest.clone();
            *other.pointer_mut(pointer).unwrap() = value;
            other
        };
        let layers = |count: usize| with("/layers", vec![descriptor("x", 7); count].into());
        assert!(parse(&layers(MAX_LAYERS)).is_ok());
        let error = parse(&layers(MAX_LAYERS + 1)).unwrap_err().to_string();
        assert!(error.contains("the image has 128 layers"), "{error}");
        for other in [
            with("/layers/0/size", json!(-1)),
            with("/layers/0/size", json!("7")),
            with("/layers/0/digest", json!("x")),
            with("/config", json!(["x", Digest::of(b"config"), 5])),
            json!({"manifests": []}),
        ] {
            assert!(parse(&other).is_err(), "{other}");
        }
        let twice = manifest.to_string().replacen('{', r#"{"Layers": [], "#, 1);
        assert!(ImageManifest::parse(twice.as_bytes()).is_err(), "{twice}");
    }
}

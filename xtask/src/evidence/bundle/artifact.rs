//! How bundles are stored in a registry: one manifest each, whose subject is the image, and the index that names them.

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Bundle, MEDIA_TYPE};
use crate::oci::exact;
use crate::oci::manifest::ImageManifest;
use crate::oci::media_type::{INDEX, MANIFEST};
use crate::oci::reference::Digest;
use crate::oci::registry::check_referrers;

/// The config of an artifact (image specification v1.1, "Guidance for an Empty Descriptor").
pub const EMPTY_CONFIG: &[u8] = b"{}";

/// The image that bundles are about, as their manifests name it.
#[derive(Clone, Debug)]
pub struct Subject {
    digest: Digest,
    descriptor: Value,
}

impl Subject {
    /// The image with the index `bytes`.
    ///
    /// # Errors
    /// When they are not JSON.
    pub fn of(bytes: &[u8]) -> Result<Self> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Manifest {
            #[serde(default = "index_type")]
            media_type: String,
        }
        fn index_type() -> String {
            INDEX.to_owned()
        }
        let Manifest { media_type } = exact::parse(bytes).context("reading the index of the image")?;
        let digest = Digest::of(bytes);
        let descriptor = json!({"mediaType": media_type, "digest": digest, "size": bytes.len()});
        Ok(Self { digest, descriptor })
    }

    /// Its digest.
    #[must_use]
    pub fn digest(&self) -> &Digest {
        &self.digest
    }
}

impl Bundle {
    /// The manifest that holds the bundle, as JSON.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn manifest(&self, subject: &Subject) -> Result<Vec<u8>> {
        serde_json::to_vec(&self.manifest_value(subject)).context("writing the manifest of a bundle")
    }

    /// Checks that `manifest` is the one that holds the bundle, without additions.
    ///
    /// # Errors
    /// When it is anything else.
    pub fn check_manifest(&self, manifest: &[u8], subject: &Subject) -> Result<()> {
        let found = exact::value(manifest).context("it is not a manifest")?;
        ensure!(found == self.manifest_value(subject), "its manifest is not that of this bundle");
        Ok(())
    }

    fn manifest_value(&self, subject: &Subject) -> Value {
        json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "artifactType": MEDIA_TYPE,
            "config": {
                "mediaType": "application/vnd.oci.empty.v1+json",
                "digest": Digest::of(EMPTY_CONFIG),
                "size": EMPTY_CONFIG.len(),
            },
            "layers": [{
                "mediaType": MEDIA_TYPE, "digest": Digest::of(&self.bytes), "size": self.bytes.len(),
            }],
            "subject": subject.descriptor,
            "annotations": self.annotations(),
        })
    }

    /// Checks that `entry` is the one that names the bundle in an index, without additions.
    ///
    /// # Errors
    /// When it is anything else.
    pub fn check_entry(&self, entry: &Value, subject: &Subject) -> Result<()> {
        ensure!(entry == &self.entry(subject)?, "the index describes it as {entry}");
        Ok(())
    }

    fn entry(&self, subject: &Subject) -> Result<Value> {
        let manifest = self.manifest(subject)?;
        Ok(json!({
            "mediaType": MANIFEST,
            "digest": Digest::of(&manifest),
            "size": manifest.len(),
            "artifactType": MEDIA_TYPE,
            "annotations": self.annotations(),
        }))
    }

    fn annotations(&self) -> Value {
        json!({
            "dev.sigstore.bundle.content": "dsse-envelope",
            "dev.sigstore.bundle.predicateType": self.of.predicate_type(),
        })
    }
}

/// The index that names `bundles` in a registry without the referrers API, as JSON.
///
/// # Errors
/// When it cannot be written.
pub fn index(bundles: &[Bundle], subject: &Subject) -> Result<Vec<u8>> {
    let entries = bundles.iter().map(|bundle| bundle.entry(subject)).collect::<Result<Vec<_>>>()?;
    let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries});
    serde_json::to_vec(&index).context("writing the index of the bundles")
}

/// The entries of an index of referrers, for our manifests and for others, each with its digest. The index must have
/// no other fields.
///
/// # Errors
/// When it is not such an index, or names more manifests than may refer to an image.
pub fn entries(index: &[u8]) -> Result<Vec<(Digest, Value)>> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    struct Index {
        schema_version: u64,
        media_type: String,
        manifests: Vec<Value>,
    }
    let index: Index = exact::parse(index).context("it is not an index of referrers")?;
    let is_known = index.schema_version == 2 && index.media_type == INDEX;
    ensure!(is_known, "it is an index `{}`, version {}", index.media_type, index.schema_version);
    check_referrers(index.manifests.len())?;
    let named = |entry: Value| {
        let digest = entry["digest"].as_str().context("it names a manifest without a digest")?.parse()?;
        Ok((digest, entry))
    };
    index.manifests.into_iter().map(named).collect()
}

/// The manifests that an index of referrers names, ours and others.
///
/// # Errors
/// When it is not an index, or names more manifests than may refer to an image.
pub fn named(index: &[u8]) -> Result<Vec<Digest>> {
    #[derive(Deserialize)]
    struct Index {
        manifests: Vec<Entry>,
    }
    #[derive(Deserialize)]
    struct Entry {
        digest: Digest,
    }
    let index: Index = exact::parse(index).context("it is not an index of referrers")?;
    check_referrers(index.manifests.len())?;
    Ok(index.manifests.into_iter().map(|entry| entry.digest).collect())
}

/// Whether `index` names bundles and nothing else, such as the platforms of an image.
#[must_use]
pub fn names_only_bundles(index: &[u8]) -> bool {
    let Ok(index) = exact::value(index) else { return false };
    let is_bundle = |entry: &Value| entry["artifactType"] == MEDIA_TYPE && entry.get("platform").is_none();
    index["manifests"].as_array().is_some_and(|entries| entries.iter().all(is_bundle))
}

/// The digest of the bundle in an artifact's manifest, which must have one layer.
///
/// # Errors
/// When it is not a manifest, or has another number of layers.
pub fn layer_of(manifest: &[u8]) -> Result<Digest> {
    let layers = ImageManifest::parse(manifest)?.layers;
    let [layer] = &layers[..] else {
        bail!("the manifest of a bundle has {} layers: expected one", layers.len());
    };
    Ok(layer.digest.clone())
}

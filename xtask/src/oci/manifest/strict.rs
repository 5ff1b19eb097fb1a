//! A manifest with exactly the fields that builders and cosign write: another program may act on any other field.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Deserializer};

use crate::oci::exact;
use crate::oci::reference::Digest;

/// The version of every index and manifest.
const SCHEMA: u64 = 2;

/// A manifest.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Manifest {
    schema_version: u64,
    #[serde(default, deserialize_with = "text")]
    media_type: Option<String>,
    /// The config.
    pub config: Descriptor,
    /// The layers, the lowest first.
    pub layers: Vec<Descriptor>,
    /// The annotations of the manifest itself.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
}

/// What a manifest says about a blob.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Descriptor {
    /// The media type.
    pub media_type: String,
    /// The digest of its bytes.
    pub digest: Digest,
    /// The number of its bytes.
    pub size: usize,
    /// Its annotations.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
}

impl Manifest {
    /// Reads `what`, a manifest of one of the `known` types.
    ///
    /// # Errors
    /// When it has another type or form.
    pub fn parse(what: &str, bytes: &[u8], known: &[&str]) -> Result<Self> {
        let read: Self = exact::parse(bytes).with_context(|| format!("reading {what}"))?;
        check_type(what, read.schema_version, read.media_type.as_deref(), known)?;
        Ok(read)
    }
}

/// A string that may be absent but not `null`.
///
/// # Errors
/// When it is not a string.
pub fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    String::deserialize(deserializer).map(Some)
}

/// Checks the version and the type of an index or a manifest.
///
/// # Errors
/// When the version is not 2, or the type is not `known`.
pub fn check_type(what: &str, schema: u64, media_type: Option<&str>, known: &[&str]) -> Result<()> {
    ensure!(schema == SCHEMA, "{what} is of version {schema}: expected {SCHEMA}");
    // The specification recommends the media type but does not require it.
    let is_known = media_type.is_none_or(|media_type| known.contains(&media_type));
    ensure!(is_known, "{what} is a `{}`", media_type.unwrap_or_default());
    Ok(())
}

//! The files of a recording, read but not yet judged.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use flate2::read::GzDecoder;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::contents::facts::LayerFacts;
use crate::oci::manifest::ImageManifest;
use crate::oci::reference::Digest;

/// `release.json`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Record {
    pub(super) tag: String,
    pub(super) commit: String,
    pub(super) time: u64,
    pub(super) image: String,
    pub(super) digest: Digest,
    pub(super) latest: Option<Digest>,
    pub(super) tags: BTreeMap<String, Digest>,
    pub(super) forge_tag: String,
    pub(super) stand_ins: BTreeMap<String, String>,
    pub(super) page: RecordedPage,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RecordedPage {
    pub(super) id: u64,
    pub(super) commit: String,
    pub(super) title: String,
    pub(super) body: String,
    pub(super) prerelease: bool,
    pub(super) draft: bool,
    pub(super) address: String,
    /// The names of the page's files, in the order of their numbers.
    #[serde(default)]
    pub(super) assets: Vec<String>,
}

/// The files in `dir` that are named by a digest.
pub(super) fn by_digest(dir: &Path) -> Result<Vec<(Digest, Vec<u8>)>> {
    let entries = fs::read_dir(dir).with_context(|| format!("listing `{}`", dir.display()))?;
    let read = |entry: std::io::Result<fs::DirEntry>| {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let digest = name.trim_end_matches(".json.gz").replace('-', ":").parse()?;
        Ok((digest, fs::read(path)?))
    };
    entries.map(read).collect()
}

/// What was read from each layer in `dir`.
pub(super) fn layers(dir: &Path) -> Result<BTreeMap<Digest, Option<Arc<LayerFacts>>>> {
    let unpacked = |(digest, packed): (Digest, Vec<u8>)| {
        let mut facts = Vec::new();
        GzDecoder::new(&packed[..]).read_to_end(&mut facts)?;
        let mut facts: Value = serde_json::from_slice(&facts)?;
        // Older recordings lack these fields, in which the layers of an honest release have nothing anyway.
        for (field, nothing) in [("directories", json!([])), ("undeclared", json!([])), ("odd", Value::Null)]
        {
            let fields = facts.as_object_mut().context("facts are an object")?;
            fields.entry(field).or_insert(nothing);
        }
        Ok((digest, Some(Arc::new(serde_json::from_value(facts)?))))
    };
    by_digest(dir)?.into_iter().map(unpacked).collect()
}

/// The contents of the page's files from `dir`, by the number that each has on the forge.
pub(super) fn page_files(dir: &Path, names: &[String]) -> Result<BTreeMap<u64, Vec<u8>>> {
    (1..).zip(names).map(|(id, name)| Ok((id, fs::read(dir.join(name))?))).collect()
}

/// The layers that a blob names, if it is the manifest of a platform, and the size that it gives for each.
pub(super) fn sizes(blob: &[u8]) -> Option<Vec<(Digest, u64)>> {
    let layers = ImageManifest::parse(blob).ok()?.layers;
    Some(layers.into_iter().map(|layer| (layer.digest, layer.size)).collect())
}

//! The content of the registry, read with crane, a client that shares nothing with xtask's own.

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::{call, export, read};

/// A manifest or index, byte for byte.
pub(crate) fn manifest(reference: &str) -> Result<Vec<u8>> {
    Ok(call(export("TESTBED_CRANE")?, &["manifest", reference])?.output()?.success()?.stdout)
}

/// Like [`manifest`], parsed.
pub(crate) fn json(reference: &str) -> Result<Value> {
    serde_json::from_slice(&manifest(reference)?).with_context(|| format!("parsing `{reference}`"))
}

/// Each platform of `index`, as `linux/amd64`, with the reference of its manifest.
pub(crate) fn platforms(pinned: &str, index: &Value) -> Result<Vec<(String, String)>> {
    let (name, _) = pinned.split_once('@').with_context(|| format!("`{pinned}` has no digest"))?;
    let manifests = index["manifests"].as_array().context("the index has no manifests")?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let entry = |entry: &Value| {
        let platform = &entry["platform"];
        let platform = format!("{}/{}", text(&platform["os"]), text(&platform["architecture"]));
        (platform, format!("{name}@{}", text(&entry["digest"])))
    };
    Ok(manifests.iter().map(entry).collect())
}

/// The configuration that a platform's manifest names.
pub(crate) fn config(manifest: &str) -> Result<Value> {
    let text = read(export("TESTBED_CRANE")?, &["config", manifest])?;
    serde_json::from_str(&text).with_context(|| format!("parsing the configuration of `{manifest}`"))
}

/// The tags of the repository of `image`, sorted.
pub(crate) fn tags(image: &str) -> Result<Vec<String>> {
    let name = image.split('@').next().unwrap_or(image);
    let mut tags: Vec<_> =
        read(export("TESTBED_CRANE")?, &["ls", name])?.lines().map(str::to_owned).collect();
    tags.sort();
    Ok(tags)
}

/// Repositories of the testbed's registry.
pub(crate) fn catalog() -> Result<Vec<String>> {
    let names = read(export("TESTBED_CRANE")?, &["catalog", &export("TESTBED_REGISTRY")?])?;
    Ok(names.lines().map(str::to_owned).collect())
}

/// A blob, byte for byte.
pub(crate) fn blob(reference: &str) -> Result<Vec<u8>> {
    Ok(call(export("TESTBED_CRANE")?, &["blob", reference])?.output()?.success()?.stdout)
}

/// The files of a layer as an uncompressed archive.
pub(crate) fn layer(blob: &str) -> Result<Vec<u8>> {
    let script = "\"$1\" blob \"$2\" | gzip --decompress --stdout";
    let call = call("sh", &["-c", script, "sh", &export("TESTBED_CRANE")?, blob])?;
    Ok(call.output()?.success()?.stdout)
}

//! Whether the documents of an image, and of what is attached to it, have exactly the fields that builders and cosign
//! write. Other claims compare only some of the fields, but another program may act on any of them.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;
use serde_json::Value;

use crate::contents::layer::Compression;
use crate::evidence::attached::{Attested, Kind};
use crate::oci::exact;
use crate::oci::media_type;
use crate::oci::reference::Digest;
use crate::verify::observe::Part;

/// The types of an index, of a manifest and of a config: OCI's, and Docker's before that.
const INDEX: [&str; 2] = [media_type::INDEX, media_type::DOCKER_INDEX];
const MANIFEST: [&str; 2] = [media_type::MANIFEST, media_type::DOCKER_MANIFEST];
const CONFIG: [&str; 2] = [media_type::CONFIG, media_type::DOCKER_CONFIG];

/// The annotation in which cosign keeps a signature, and the one with an attestation's predicate type.
const SIGNATURE: &str = "dev.cosignproject.cosign/signature";
const PREDICATE_TYPE: &str = "predicateType";

/// The version of every index and manifest.
const SCHEMA: u64 = 2;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Index {
    schema_version: u64,
    #[serde(default, deserialize_with = "text")]
    media_type: Option<String>,
    manifests: Vec<Entry>,
    #[serde(default, rename = "annotations")]
    _annotations: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Entry {
    media_type: String,
    #[serde(rename = "digest")]
    _digest: Digest,
    size: usize,
    #[serde(rename = "platform")]
    _platform: Platform,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Platform {
    #[serde(rename = "os")]
    _os: String,
    #[serde(rename = "architecture")]
    _architecture: String,
    #[serde(rename = "variant")]
    _variant: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Manifest {
    schema_version: u64,
    #[serde(default, deserialize_with = "text")]
    media_type: Option<String>,
    config: Descriptor,
    layers: Vec<Descriptor>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Descriptor {
    media_type: String,
    digest: Digest,
    size: usize,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

/// The image specification v1.1, "Image Configuration", with the additions of Docker and `BuildKit`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    dead_code,
    reason = "only that there is nothing else is looked at; the claim `rebuild` is about the values"
)]
struct Config {
    created: Option<String>,
    author: Option<String>,
    architecture: String,
    os: String,
    variant: Option<String>,
    #[serde(rename = "os.version")]
    os_version: Option<String>,
    #[serde(rename = "os.features")]
    os_features: Option<Vec<String>>,
    config: RunConfig,
    rootfs: RootFs,
    history: Option<Vec<History>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
#[expect(dead_code, reason = "as of `Config`")]
struct RunConfig {
    user: Option<String>,
    exposed_ports: Option<Value>,
    env: Option<Vec<String>>,
    entrypoint: Option<Vec<String>>,
    cmd: Option<Vec<String>>,
    volumes: Option<Value>,
    working_dir: Option<String>,
    labels: Option<BTreeMap<String, String>>,
    stop_signal: Option<String>,
    stop_timeout: Option<u64>,
    args_escaped: Option<bool>,
    healthcheck: Option<Value>,
    on_build: Option<Vec<String>>,
    shell: Option<Vec<String>>,
    // Docker's own fields, which a base image from before `BuildKit` may have.
    hostname: Option<String>,
    domainname: Option<String>,
    image: Option<String>,
    attach_stdin: Option<bool>,
    attach_stdout: Option<bool>,
    attach_stderr: Option<bool>,
    tty: Option<bool>,
    open_stdin: Option<bool>,
    stdin_once: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RootFs {
    #[serde(rename = "type")]
    kind: String,
    #[serde(rename = "diff_ids")]
    _diff_ids: Vec<Digest>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "as of `Config`")]
struct History {
    created: Option<String>,
    created_by: Option<String>,
    author: Option<String>,
    comment: Option<String>,
    empty_layer: Option<bool>,
}

/// A text that may be left out but not `null`.
fn text<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    String::deserialize(deserializer).map(Some)
}

/// Checks the index and each platform's manifest and config against their formats, as far as they exist.
pub(super) fn check_image(index: &[u8], parts: &[Part]) -> Result<()> {
    let Index { schema_version, media_type, manifests, .. } =
        exact::parse(index).context("the index is not of the form of one")?;
    check_type("the index", schema_version, media_type.as_deref(), &INDEX)?;
    for (entry, part) in manifests.iter().zip(parts) {
        let of = &part.platform;
        check_manifest_entry(entry, part)
            .with_context(|| format!("the image for {of} is not of the form of one"))?;
    }
    Ok(())
}

fn check_manifest_entry(entry: &Entry, part: &Part) -> Result<()> {
    ensure!(MANIFEST.contains(&entry.media_type.as_str()), "its manifest is a `{}`", entry.media_type);
    let Some((manifest, config)) = part.manifest.as_ref().zip(part.config.as_ref()) else { return Ok(()) };
    ensure!(
        entry.size == manifest.len(),
        "its manifest has {} bytes, and {} by the index",
        manifest.len(),
        entry.size
    );
    let read: Manifest = exact::parse(manifest).context("reading its manifest")?;
    check_type("its manifest", read.schema_version, read.media_type.as_deref(), &MANIFEST)?;
    let named = &read.config;
    ensure!(CONFIG.contains(&named.media_type.as_str()), "its config is a `{}`", named.media_type);
    ensure!(
        named.size == config.len(),
        "its config has {} bytes, and {} by the manifest",
        config.len(),
        named.size
    );
    for layer in &read.layers {
        Compression::of(&layer.media_type)?;
        ensure!(layer.annotations.is_empty(), "the layer `{}` has annotations", layer.digest);
    }
    ensure!(named.annotations.is_empty(), "its config has annotations");
    let read: Config = exact::parse(config).context("reading its config")?;
    ensure!(read.rootfs.kind == "layers", "its root file system is of `{}`", read.rootfs.kind);
    Ok(())
}

fn check_type(what: &str, schema: u64, media_type: Option<&str>, known: &[&str]) -> Result<()> {
    ensure!(schema == SCHEMA, "{what} is of version {schema}: expected {SCHEMA}");
    // The specification recommends it but does not require it.
    let is_known = media_type.is_none_or(|media_type| known.contains(&media_type));
    ensure!(is_known, "{what} is a `{}`", media_type.unwrap_or_default());
    Ok(())
}

/// One attached layer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Layer {
    /// The digest of its bytes.
    pub(super) digest: Digest,
    /// The predicate type that an attestation is marked with; empty for a signature.
    pub(super) mark: String,
    signature: String,
}

/// The layers of what cosign keeps under a tag; empty if there is nothing.
pub(super) fn attached(kind: Kind, bytes: Option<&[u8]>) -> Result<Vec<Layer>> {
    let Some(bytes) = bytes else { return Ok(Vec::new()) };
    let (what, media_type) = match kind {
        Kind::Signatures => ("signatures", "application/vnd.dev.cosign.simplesigning.v1+json"),
        Kind::Attestations => ("attestations", "application/vnd.dsse.envelope.v1+json"),
    };
    let read: Manifest =
        exact::parse(bytes).with_context(|| format!("reading the manifest of the {what}"))?;
    check_type(
        &format!("the manifest of the {what}"),
        read.schema_version,
        read.media_type.as_deref(),
        &MANIFEST[..1],
    )?;
    ensure!(read.annotations.is_empty(), "the manifest of the {what} has annotations");
    let Descriptor { media_type: config, annotations, .. } = &read.config;
    ensure!(config == CONFIG[0] && annotations.is_empty(), "the config of the {what} is a `{config}`");
    let mut layers: Vec<Layer> = Vec::new();
    for mut layer in read.layers {
        let digest = layer.digest;
        ensure!(layer.media_type == media_type, "`{digest}` among the {what} is a `{}`", layer.media_type);
        let mut take = |key| layer.annotations.remove(key);
        let (signature, mark) = (take(SIGNATURE), take(PREDICATE_TYPE));
        let signature = signature.with_context(|| format!("`{digest}` among the {what} has no signature"))?;
        let is_marked = match kind {
            Kind::Signatures => mark.is_none() && !signature.is_empty(),
            // An attestation's signature is in its envelope.
            Kind::Attestations => mark.is_some() && signature.is_empty(),
        };
        ensure!(
            is_marked && layer.annotations.is_empty(),
            "`{digest}` among the {what} has other annotations"
        );
        let layer = Layer { digest, mark: mark.unwrap_or_default(), signature };
        // A second attestation of a kind is reported where that kind is judged.
        let is_twice = kind == Kind::Signatures && layers.contains(&layer);
        ensure!(!is_twice, "`{}` is among the {what} twice", layer.digest);
        layers.push(layer);
    }
    Ok(layers)
}

/// Whether an attestation is marked as the kind that cosign accepted it as. `printed` is cosign's output for each kind.
pub(super) fn check_mark(layer: &Layer, printed: &[(Attested, Vec<&str>)]) -> Result<()> {
    let is_marked = |of: Attested| layer.mark == of.predicate_type();
    let is_of = |printed: &[&str]| printed.iter().any(|one| Digest::of(one.as_bytes()) == layer.digest);
    let is_known = printed.iter().any(|(of, _)| is_marked(*of));
    let is_other = printed.iter().any(|(of, printed)| !is_marked(*of) && is_of(printed));
    ensure!(
        is_known && !is_other,
        "the attestation `{}` is marked as `{}`, which it is not",
        layer.digest,
        layer.mark
    );
    Ok(())
}

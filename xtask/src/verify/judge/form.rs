//! Whether the documents of an image, and of what is attached to it, have exactly the fields that builders and cosign
//! write. Other claims compare only some of the fields, but another program may act on any of them.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;
use serde_json::Value;

use crate::contents::layer::Compression;
use crate::evidence::attached::{Attested, Layer};
use crate::evidence::bundle::{Bundle, Of};
use crate::oci::exact;
use crate::oci::manifest::strict::{self, Manifest};
use crate::oci::media_type;
use crate::oci::reference::Digest;
use crate::verify::observe::Part;

/// The types of an index, of a manifest and of a config: OCI's, and Docker's older ones.
const INDEX: [&str; 2] = [media_type::INDEX, media_type::DOCKER_INDEX];
const MANIFEST: [&str; 2] = [media_type::MANIFEST, media_type::DOCKER_MANIFEST];
const CONFIG: [&str; 2] = [media_type::CONFIG, media_type::DOCKER_CONFIG];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Index {
    schema_version: u64,
    #[serde(default, deserialize_with = "strict::text")]
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
    _platform: EntryPlatform,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EntryPlatform {
    #[serde(rename = "os")]
    _os: String,
    #[serde(rename = "architecture")]
    _architecture: String,
    #[serde(rename = "variant")]
    _variant: Option<String>,
}

/// The image specification v1.1, "Image Configuration", with the additions of Docker and `BuildKit`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only unknown fields are looked for; the claim `rebuild` is about the values")]
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
#[expect(dead_code, reason = "as in `Config`")]
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
#[expect(dead_code, reason = "as in `Config`")]
struct History {
    created: Option<String>,
    created_by: Option<String>,
    author: Option<String>,
    comment: Option<String>,
    empty_layer: Option<bool>,
}

/// Checks the index and each platform's manifest and config against their formats, as far as they exist.
pub(super) fn check_image(index: &[u8], parts: &[Part]) -> Result<()> {
    let Index { schema_version, media_type, manifests, .. } =
        exact::parse(index).context("the index is not an image index as OCI or Docker defines it")?;
    strict::check_type("the index", schema_version, media_type.as_deref(), &INDEX)?;
    for (entry, part) in manifests.iter().zip(parts) {
        let of = &part.platform;
        check_manifest_entry(entry, part)
            .with_context(|| format!("the image for {of} is not as OCI or Docker defines it"))?;
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
    let read = Manifest::parse("its manifest", manifest, &MANIFEST)?;
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

/// Whether an attestation is marked as the kind that it is. `printed` is cosign's output for each kind. If cosign 3
/// printed it in its own format, only the bundle shows what it is.
pub(super) fn check_mark(
    layer: &Layer,
    printed: &[(Attested, Vec<&str>)],
    bundles: &[&Bundle],
) -> Result<()> {
    let is_it = |envelope: &[u8]| Digest::of(envelope) == layer.digest;
    let of_printed = printed
        .iter()
        .filter(|(_, printed)| printed.iter().any(|one| is_it(one.as_bytes())))
        .map(|(of, _)| Of::Attestation(*of));
    let of_bundles = bundles.iter().filter(|bundle| is_it(&bundle.envelope)).map(|bundle| bundle.of);
    ensure!(
        of_printed.chain(of_bundles).all(|of| of.predicate_type() == layer.mark),
        "the attestation `{}` is marked as `{}`, which it is not",
        layer.digest,
        layer.mark
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::check_image;
    use crate::oci::reference::Digest;
    use crate::verify::observe::Part;
    use serde_json::{Value, json};

    /// The documents of an image for one platform.
    #[derive(Clone)]
    struct Documents {
        index: Value,
        manifest: Value,
        config: Value,
    }

    impl Documents {
        fn honest() -> Self {
            let manifest = "application/vnd.oci.image.manifest.v1+json";
            Self {
                index: json!({"schemaVersion": 2, "manifests": [
                    {"mediaType": manifest, "platform": {"os": "linux", "architecture": "arm64"}},
                ]}),
                manifest: json!({
                    "schemaVersion": 2, "mediaType": manifest,
                    "config": {"mediaType": "application/vnd.oci.image.config.v1+json"},
                    "layers": [{
                        "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": Digest::of(b"layer"), "size": 5,
                    }],
                }),
                config: json!({
                    "os": "linux", "architecture": "arm64", "config": {},
                    "rootfs": {"type": "layers", "diff_ids": [Digest::of(b"files")]},
                }),
            }
        }

        /// Makes each document name the next by its digest and by its size plus `more`, then checks them.
        fn check(mut self, more: [usize; 2]) -> anyhow::Result<()> {
            let config = self.config.to_string().into_bytes();
            self.manifest["config"]["digest"] = json!(Digest::of(&config));
            self.manifest["config"]["size"] = json!(config.len() + more[1]);
            let manifest = self.manifest.to_string().into_bytes();
            self.index["manifests"][0]["digest"] = json!(Digest::of(&manifest));
            self.index["manifests"][0]["size"] = json!(manifest.len() + more[0]);
            let part = Part {
                platform: "linux/arm64".to_owned(),
                metadata: None,
                layered: None,
                manifest: Some(manifest),
                config: Some(config),
                missing: Vec::new(),
            };
            check_image(self.index.to_string().as_bytes(), &[part])
        }
    }

    #[test]
    fn documents_of_an_image_with_another_form_or_a_wrong_size_are_rejected() {
        let honest = Documents::honest();
        honest.clone().check([0, 0]).unwrap();
        for (more, words) in [([1, 0], "its manifest has"), ([0, 1], "its config has")] {
            let error = format!("{:#}", honest.clone().check(more).unwrap_err());
            assert!(error.contains(words), "{error}");
        }
        type Change = fn(&mut Documents);
        let changes: [(Change, &str); 8] = [
            (|of| of.index["schemaVersion"] = json!(1), "the index is of version 1"),
            (
                |of| of.index["manifests"][0]["mediaType"] = json!("text/plain"),
                "its manifest is a `text/plain`",
            ),
            (|of| of.manifest["schemaVersion"] = json!(1), "its manifest is of version 1"),
            (|of| of.manifest["config"]["mediaType"] = json!("text/plain"), "its config is a `text/plain`"),
            (|of| of.manifest["config"]["annotations"] = json!({"note": "x"}), "its config has annotations"),
            (|of| of.manifest["layers"][0]["mediaType"] = json!("text/plain"), "text/plain"),
            (|of| of.manifest["layers"][0]["annotations"] = json!({"note": "x"}), "has annotations"),
            (|of| of.config["rootfs"]["type"] = json!("files"), "its root file system is of `files`"),
        ];
        for (change, words) in changes {
            let mut changed = honest.clone();
            change(&mut changed);
            let error = format!("{:#}", changed.check([0, 0]).unwrap_err());
            assert!(error.contains(words), "{error}");
        }
    }
}

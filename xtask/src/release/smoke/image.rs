//! One platform's image as described by its config, read from the registry: where its node is, and the settings that
//! the report of a failure shows.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, anyhow, ensure};
use serde::Deserialize;

use crate::inputs::source::Source;
use crate::oci::manifest::ImageManifest;
use crate::oci::reference::Digest;
use crate::oci::registry::{Client, Got, Wanted};
use crate::release::Context;
use crate::release::build::Candidate;

/// One platform's image.
pub(super) struct Image {
    /// Such as `linux/arm64`.
    pub(super) platform: String,
    /// `registry/path@sha256:…` of the image's manifest.
    pub(super) reference: String,
    /// The configuration that it runs with.
    pub(super) config: RunConfig,
}

#[derive(Deserialize)]
struct Config {
    config: RunConfig,
}

/// The part of the OCI image specification's `config` that is needed here.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct RunConfig {
    pub(super) env: Option<Vec<String>>,
    pub(super) entrypoint: Option<Vec<String>>,
    pub(super) cmd: Option<Vec<String>>,
    pub(super) working_dir: Option<String>,
    pub(super) user: Option<String>,
    pub(super) labels: Option<BTreeMap<String, String>>,
}

/// The image of every platform in the candidate.
///
/// # Errors
/// When the registry does not have them.
pub(super) fn all(context: &Context<'_>, candidate: &Candidate) -> Result<Vec<Image>> {
    let registry = &context.tools.registry;
    let manifests = candidate.manifests.iter().map(|(_, digest)| Wanted::Manifest(digest.clone()));
    let config_of = |bytes: Vec<u8>| {
        let manifest = ImageManifest::parse(&bytes).context("reading the manifest of a platform")?;
        Ok(Wanted::Blob(manifest.config.digest))
    };
    let configs: Vec<_> =
        fetch(registry, &manifests.collect::<Vec<_>>())?.into_iter().map(config_of).collect::<Result<_>>()?;
    let configs = fetch(registry, &configs)?;
    let image = |((platform, digest), bytes): (&(String, Digest), Vec<u8>)| {
        let read = || format!("reading the config of the image for {platform}");
        let Config { config } = serde_json::from_slice(&bytes).with_context(read)?;
        Ok(Image { platform: platform.clone(), reference: context.release.image.pinned(digest), config })
    };
    candidate.manifests.iter().zip(configs).map(image).collect()
}

fn fetch(registry: &Client, wanted: &[Wanted]) -> Result<Vec<Vec<u8>>> {
    let answers = wanted.iter().zip(registry.batch(wanted));
    let bytes = |(wanted, got): (&Wanted, Result<Option<Got>>)| {
        got?.map(Got::into_bytes).ok_or_else(|| anyhow!("the registry no longer has {wanted:?}"))
    };
    answers.map(bytes).collect()
}

impl Image {
    /// The path of node in the image: as the image's own command names it, else where images without a shell have it,
    /// else found on its PATH.
    pub(super) fn node(&self) -> &str {
        node(&self.config)
    }

    /// For a service without a version path: the labels must name this release.
    ///
    /// # Errors
    /// When they do not.
    pub(super) fn check_labels(&self, source: &Source) -> Result<()> {
        let labels = self.config.labels.as_ref();
        let expected =
            [("version", source.tag.version().to_string()), ("revision", source.commit.to_string())];
        for (name, expected) in expected {
            let key = format!("org.opencontainers.image.{name}");
            let found = labels.and_then(|labels| labels.get(&key)).map_or("missing", String::as_str);
            ensure!(
                found == expected,
                "the label `{key}` of the image for {} is `{found}`: expected `{expected}`",
                self.platform
            );
        }
        Ok(())
    }
}

fn node(config: &RunConfig) -> &str {
    /// Where distroless images have node; it is on no PATH there.
    const DISTROLESS: &str = "/nodejs/bin";
    let is_node = |word: &&String| matches!(word.rsplit('/').next(), Some("node" | "nodejs"));
    let mut words = [&config.entrypoint, &config.cmd].into_iter().flatten().flatten();
    if let Some(named) = words.find(is_node) {
        return named;
    }
    let path = config.env.iter().flatten().find_map(|pair| pair.strip_prefix("PATH="));
    if path.is_some_and(|path| path.split(':').any(|dir| dir == DISTROLESS)) {
        return "/nodejs/bin/node";
    }
    "node"
}

#[cfg(test)]
mod tests {
    use super::{RunConfig, node};
    use serde_json::json;

    #[test]
    fn node_is_found_by_the_images_own_command_or_its_path() {
        for (config, expected) in [
            (json!({"Entrypoint": ["node", "/app/server.js"]}), "node"),
            (json!({"Entrypoint": ["docker-entrypoint.sh"], "Cmd": ["node"]}), "node"),
            (json!({"Entrypoint": ["/nodejs/bin/node"], "Cmd": ["server.js"]}), "/nodejs/bin/node"),
            (
                json!({"Entrypoint": ["/usr/bin/tini", "--", "/usr/local/bin/node", "x"]}),
                "/usr/local/bin/node",
            ),
            (json!({"Entrypoint": ["/usr/bin/nodejs", "x"]}), "/usr/bin/nodejs"),
            (json!({"Entrypoint": ["sh", "-c", "exec node x"], "Env": ["PATH=/usr/bin"]}), "node"),
            (json!({"Cmd": ["npm", "start"], "Env": ["A=b", "PATH=/nodejs/bin:/bin"]}), "/nodejs/bin/node"),
            (json!({"Cmd": ["/app/nodemon"], "Entrypoint": null, "Env": null, "Labels": null}), "node"),
            (json!({}), "node"),
        ] {
            assert_eq!(node(&serde_json::from_value::<RunConfig>(config).unwrap()), expected);
        }
    }
}

//! What the manifest and the config of one platform's image say about its layers.

use anyhow::{Context as _, Result};
use serde::Deserialize;

use crate::oci::manifest::{Descriptor, ImageManifest};
use crate::oci::reference::Digest;

/// One platform's image, from its manifest and its config.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The platform, such as `linux/arm64`.
    pub platform: String,
    /// Its layers, the lowest first.
    pub layers: Vec<Descriptor>,
    /// The digests of the layers' uncompressed bytes.
    pub diff_ids: Vec<Digest>,
    /// `NODE_VERSION` in the environment, and how many layers are below the instruction that sets it.
    pub node_version: Option<(String, usize)>,
    /// The instruction that made each layer; empty if the config does not name one for each.
    pub made_by: Vec<String>,
}

/// The fields of a platform's config that are about its layers.
#[derive(Deserialize)]
struct ImageConfig {
    #[serde(default)]
    config: RunConfig,
    rootfs: RootFs,
    history: Option<Vec<Instruction>>,
}

#[derive(Default, Deserialize)]
struct RunConfig {
    #[serde(rename = "Env", default)]
    env: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct RootFs {
    diff_ids: Vec<Digest>,
}

/// An instruction of the Dockerfiles of the image and of its base (image specification v1.1, "Image Configuration").
#[derive(Deserialize)]
struct Instruction {
    created_by: Option<String>,
    #[serde(default)]
    empty_layer: bool,
}

impl Instruction {
    /// Whether it sets `NODE_VERSION`, in the form of `BuildKit` or of an older docker.
    fn sets_node_version(&self) -> bool {
        let words = self.created_by.as_deref().unwrap_or_default();
        let words = words.split_once("#(nop)").map_or(words, |(_shell, words)| words);
        words.trim_start().starts_with("ENV ") && words.contains("NODE_VERSION")
    }
}

impl ImageConfig {
    /// The value of [`Part::node_version`]; `None` if more than one instruction sets it.
    fn node_version(&self) -> Option<(String, usize)> {
        let history = self.history.as_deref().unwrap_or_default();
        let mut setting =
            history.iter().enumerate().filter(|(_, instruction)| instruction.sets_node_version());
        let (Some((place, _)), None) = (setting.next(), setting.next()) else { return None };
        let below = history[..place].iter().filter(|instruction| !instruction.empty_layer).count();
        let variables = self.config.env.iter().flatten();
        let mut versions = variables.filter_map(|variable| variable.strip_prefix("NODE_VERSION="));
        let (Some(version), None) = (versions.next(), versions.next()) else { return None };
        let is_plain = (1..=64).contains(&version.len())
            && version.chars().all(|c| c.is_ascii_alphanumeric() || ".-".contains(c));
        is_plain.then(|| (version.to_owned(), below))
    }

    /// The value of [`Part::made_by`].
    fn made_by(&self) -> Vec<String> {
        let made = self.history.iter().flatten().filter(|instruction| !instruction.empty_layer);
        let made: Vec<_> =
            made.map(|instruction| instruction.created_by.clone().unwrap_or_default()).collect();
        if made.len() == self.rootfs.diff_ids.len() { made } else { Vec::new() }
    }
}

impl Part {
    /// Reads a platform's manifest and config.
    ///
    /// # Errors
    /// When they are not a manifest and a config, or there are more layers than any image has.
    pub fn of(platform: &str, manifest: &[u8], config: &[u8]) -> Result<Self> {
        let manifest =
            ImageManifest::parse(manifest).with_context(|| format!("reading the manifest of {platform}"))?;
        let config: ImageConfig =
            serde_json::from_slice(config).with_context(|| format!("reading the config of {platform}"))?;
        Ok(Self {
            platform: platform.to_owned(),
            layers: manifest.layers,
            node_version: config.node_version(),
            made_by: config.made_by(),
            diff_ids: config.rootfs.diff_ids,
        })
    }
}

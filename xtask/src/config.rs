//! `[workspace.metadata.release]` of the top `Cargo.toml`, read through `cargo metadata` so that no TOML grammar is
//! needed here. Unknown keys are errors. docs/configuration.md describes every key.

mod values;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;
use xshell::cmd;

use crate::reference::{Digest, Image};
use crate::release::export::Export;
use crate::tool::Runner;
use crate::tool::git::{Commit, Git};

pub use values::{Platform, RepositoryName, WebUrl};

/// What is released, where, and how long each part of it may take.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Config {
    /// The forge's public address, such as `https://forge.example.org`: what links and provenance say.
    pub forge: WebUrl,
    /// `owner/name` of the repository on the forge.
    pub repository: RepositoryName,
    /// Where the image goes; by default the forge's host and the repository's name in lower case.
    image: Option<String>,
    /// `org.opencontainers.image.title`.
    pub title: String,
    /// `org.opencontainers.image.description`.
    pub description: String,
    /// `org.opencontainers.image.licenses`, an SPDX expression.
    pub licenses: String,
    /// What the index holds, such as `linux/amd64`.
    pub platforms: Vec<Platform>,
    /// Branches on the forge that a released commit may come from.
    pub branches: Vec<String>,
    /// Whether the forge must show a successful status for the commit.
    #[serde(default)]
    pub ci_status: CiStatus,
    /// A buildx builder by name; empty for the current one.
    #[serde(default)]
    pub builder: String,
    /// `--network` of the build, such as `host`; empty for docker's default.
    #[serde(default)]
    pub build_network: String,
    /// SHA-256 digests of the cosign binaries that may sign; empty for any.
    #[serde(default)]
    pub cosign_digests: Vec<Digest>,
    /// How the image is tried out.
    pub smoke: Smoke,
    /// How long a step may take.
    #[serde(default)]
    pub timeouts: Timeouts,
}

/// How the image is tried out before it is signed.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Smoke {
    /// The port that the service listens on in the container.
    pub port: u16,
    /// The path that answers 200 once the service is up.
    pub health: String,
    /// The path that answers `{"version": …, "commit": …}`.
    pub version: String,
    /// Seconds until the health path must answer.
    #[serde(default = "Smoke::default_start_seconds")]
    start_seconds: u16,
    /// Seconds that the service may take to stop on SIGTERM.
    #[serde(default = "Smoke::default_stop_seconds")]
    stop_seconds: u16,
}

impl Smoke {
    const fn default_start_seconds() -> u16 {
        30
    }

    const fn default_stop_seconds() -> u16 {
        10
    }

    /// Until when the health path must answer.
    #[must_use]
    pub fn start_timeout(&self) -> Duration {
        Duration::from_secs(self.start_seconds.into())
    }

    /// How long the service may take to stop on SIGTERM.
    #[must_use]
    pub fn stop_timeout(&self) -> Duration {
        Duration::from_secs(self.stop_seconds.into())
    }
}

/// Bounds in seconds.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Timeouts {
    build: u32,
    pull: u32,
    cosign: u32,
    http: u32,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { build: 1800, pull: 300, cosign: 60, http: 30 }
    }
}

impl Timeouts {
    /// The image build with its push.
    #[must_use]
    pub fn build(&self) -> Duration {
        Duration::from_secs(self.build.into())
    }

    /// The pull of the pushed image.
    #[must_use]
    pub fn pull(&self) -> Duration {
        Duration::from_secs(self.pull.into())
    }

    /// One cosign call.
    #[must_use]
    pub fn cosign(&self) -> Duration {
        Duration::from_secs(self.cosign.into())
    }

    /// One HTTP request.
    #[must_use]
    pub fn http(&self) -> Duration {
        Duration::from_secs(self.http.into())
    }
}

/// Whether the commit's status on the forge decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CiStatus {
    /// A missing or red status refuses the release.
    #[default]
    Required,
    /// Not looked at.
    Off,
}

impl Config {
    /// Reads the configuration of the workspace at `root`.
    ///
    /// # Errors
    /// When `cargo metadata` fails, the table is missing, a key is unknown or a value cannot be meant.
    pub fn load(runner: &Runner, root: &Path) -> Result<Self> {
        let sh = runner.shell()?;
        let metadata = cmd!(sh, "cargo metadata --no-deps --format-version 1 --locked --offline");
        let json =
            runner.call(metadata).dir(root).read().context("reading the configuration in `Cargo.toml`")?;
        Self::from_metadata(&json)
    }

    /// Reads the configuration of `commit`, which decides about its image, and not the work tree's: a newer xtask that
    /// finishes an older tag gives the same digest.
    ///
    /// # Errors
    /// As [`Config::load`], and when git fails.
    pub fn of_commit(runner: &Runner, git: &Git, commit: &Commit) -> Result<Self> {
        if !git.differs(commit, &["Cargo.toml", "Cargo.lock"])? {
            return Self::load(runner, git.root());
        }
        let export = Export::of(git, commit)?;
        Self::load(runner, &export.tree())
    }

    fn from_metadata(json: &str) -> Result<Self> {
        #[derive(Deserialize)]
        struct Metadata {
            metadata: Option<BTreeMap<String, serde_json::Value>>,
        }
        let metadata: Metadata =
            serde_json::from_str(json).context("reading what `cargo metadata` printed")?;
        let Some(release) = metadata.metadata.unwrap_or_default().remove("release") else {
            bail!(
                "`Cargo.toml` has no `[workspace.metadata.release]`; docs/configuration.md shows a whole one"
            );
        };
        let config: Self = serde_json::from_value(release).context(
            "reading `[workspace.metadata.release]` in `Cargo.toml`; docs/configuration.md lists the keys",
        )?;
        config.check().context("checking `[workspace.metadata.release]` in `Cargo.toml`")?;
        Ok(config)
    }

    fn check(&self) -> Result<()> {
        self.image()?;
        ensure!(!self.platforms.is_empty(), "`platforms` is empty: name one at least, such as `linux/amd64`");
        ensure!(!self.branches.is_empty(), "`branches` is empty: name one at least, such as `main`");
        for (key, value) in
            [("title", &self.title), ("description", &self.description), ("licenses", &self.licenses)]
        {
            ensure!(
                !value.is_empty() && !value.chars().any(char::is_control),
                "`{key}` must be one line of text"
            );
        }
        for (key, path) in [("smoke.health", &self.smoke.health), ("smoke.version", &self.smoke.version)] {
            let is_path = path.starts_with('/') && path.chars().all(|c| c.is_ascii_graphic());
            ensure!(is_path, "`{key}` is `{path}`: expected a path such as `/healthz`");
        }
        Ok(())
    }

    /// The image's public name.
    ///
    /// # Errors
    /// When it is no image name.
    pub fn image(&self) -> Result<Image> {
        match &self.image {
            Some(name) => name.parse().context("reading `image`"),
            None => {
                format!("{}/{}", self.forge.authority(), self.repository.to_string().to_ascii_lowercase())
                    .parse()
                    .context("deriving `image` from `forge` and `repository`; set it by hand")
            }
        }
    }

    /// The repository's page on the forge, as provenance and `org.opencontainers.image.source` name it.
    #[must_use]
    pub fn source_url(&self) -> String {
        format!("{}/{}", self.forge, self.repository)
    }
}

#[cfg(test)]
mod tests {
    use super::Config;

    fn metadata(change: impl FnOnce(&mut serde_json::Value)) -> String {
        let mut release = serde_json::json!({
            "forge": "https://forge.example.org/",
            "repository": "Acme/carol",
            "title": "carol",
            "description": "a service",
            "licenses": "MIT",
            "platforms": ["linux/amd64"],
            "branches": ["main"],
            "smoke": {"port": 3000, "health": "/healthz", "version": "/version"},
        });
        change(&mut release);
        serde_json::json!({ "metadata": { "release": release } }).to_string()
    }

    #[test]
    fn the_image_and_the_source_follow_from_forge_and_repository() {
        let config = Config::from_metadata(&metadata(|_| {})).unwrap();
        assert_eq!(config.image().unwrap().to_string(), "forge.example.org/acme/carol");
        assert_eq!(config.source_url(), "https://forge.example.org/Acme/carol");
    }

    #[test]
    fn what_cannot_be_meant_is_refused_by_name() {
        type Change = fn(&mut serde_json::Value);
        let cases: [(Change, &str); 8] = [
            (|v| v["platfroms"] = "linux/amd64".into(), "platfroms"),
            (|v| v["smoke"]["prot"] = 1.into(), "prot"),
            (|v| v["forge"] = "forge.example.org".into(), "forge.example.org"),
            (|v| v["forge"] = "https://user:password@forge.example.org".into(), "not a web address"),
            (|v| v["repository"] = "acme/../carol".into(), "not a repository"),
            (|v| v["platforms"] = serde_json::json!([]), "`platforms` is empty"),
            (|v| v["image"] = "carol".into(), "image"),
            (|v| v["smoke"]["health"] = "healthz".into(), "smoke.health"),
        ];
        for (change, expected) in cases {
            let error = format!("{:#}", Config::from_metadata(&metadata(change)).unwrap_err());
            assert!(error.contains(expected), "expected `{expected}` in: {error}");
        }
    }

    #[test]
    fn a_workspace_without_the_table_is_told_where_to_look() {
        let error = Config::from_metadata(r#"{"metadata": null}"#).unwrap_err().to_string();
        assert!(error.contains("docs/configuration.md"), "{error}");
    }
}

//! `[workspace.metadata.release]` of the top `Cargo.toml`, read from the bytes that git has of a commit: whoever verifies
//! needs no Rust toolchain. Unknown keys are errors. docs/configuration.md describes every key.

mod limits;
mod native;
mod smoke;
mod values;

use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;

use crate::reference::{Digest, Image};
use crate::tool::git::{Commit, Git};

pub use limits::Timeouts;
pub use native::{Archive, Native, Way};
pub use smoke::{ALIAS, Companion, Http, Platforms, Smoke};
pub use values::{Folder, Platform, RepositoryName, WebUrl};

/// Where the table is, from the top of the repository.
pub const MANIFEST: &str = "Cargo.toml";

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
    /// Where the service's npm packages are in its image.
    #[serde(default)]
    pub dependencies: Dependencies,
    /// Branches on the forge that a released commit may come from.
    pub branches: Vec<String>,
    /// Whether the forge must show a successful status for the commit.
    #[serde(default)]
    pub ci_status: CiStatus,
    /// The contexts that must be there and successful, as the forge names them; empty for all that there are.
    #[serde(default)]
    pub ci_contexts: Vec<String>,
    /// A buildx builder by name; empty for the current one.
    #[serde(default)]
    pub builder: String,
    /// `--network` of the build, such as `host`; empty for docker's default.
    #[serde(default)]
    pub build_network: String,
    /// SHA-256 digests of the cosign binaries that may sign; empty for any.
    #[serde(default)]
    pub cosign_digests: Vec<Digest>,
    /// The folder of the service's package.
    #[serde(default)]
    pub service: Folder,
    /// What was decided about packages that bring an install script.
    #[serde(default)]
    pub native: Vec<Native>,
    /// How the image is tried out.
    pub smoke: Smoke,
    /// How long a step may take.
    #[serde(default)]
    pub timeouts: Timeouts,
}

/// Where the service's npm packages are in its image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Dependencies {
    /// In a `node_modules` directory, as npm puts them there.
    #[default]
    Installed,
    /// In the service's own files, where a bundler puts them.
    Bundled,
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
    /// Reads the configuration of the work tree at `root`.
    ///
    /// # Errors
    /// When the table is missing, a key is unknown or a value cannot be meant.
    pub fn of_work_tree(root: &Path) -> Result<Self> {
        let path = root.join(MANIFEST);
        let text = std::fs::read_to_string(&path).with_context(|| format!("reading `{}`", path.display()))?;
        Self::from_manifest(&text)
    }

    /// Reads the configuration of `commit`, which decides about its image, and not the work tree's: a newer xtask that
    /// finishes an older tag gives the same digest.
    ///
    /// # Errors
    /// As [`Config::of_work_tree`], and when git fails.
    pub fn of_commit(git: &Git, commit: &Commit) -> Result<Self> {
        let [manifest] = git.files(commit, [MANIFEST])?;
        Self::of_file(commit, manifest)
    }

    /// As [`Config::of_commit`], of what git gave for [`MANIFEST`].
    ///
    /// # Errors
    /// As [`Config::of_commit`].
    pub fn of_file(commit: &Commit, manifest: Option<Vec<u8>>) -> Result<Self> {
        let manifest = manifest.with_context(|| format!("commit {commit} has no `{MANIFEST}`"))?;
        let text = std::str::from_utf8(&manifest).context("reading `Cargo.toml`: it is not UTF-8")?;
        Self::from_manifest(text)
    }

    fn from_manifest(text: &str) -> Result<Self> {
        #[derive(Deserialize)]
        struct Manifest {
            workspace: Option<Workspace>,
        }
        #[derive(Deserialize)]
        struct Workspace {
            metadata: Option<Metadata>,
        }
        #[derive(Deserialize)]
        struct Metadata {
            release: Option<Config>,
        }
        const READING: &str =
            "reading `[workspace.metadata.release]` in `Cargo.toml`; docs/configuration.md lists the keys";
        let manifest: Manifest = basic_toml::from_str(text).context(READING)?;
        let release = manifest.workspace.and_then(|workspace| workspace.metadata?.release);
        let Some(config) = release else {
            bail!(
                "`Cargo.toml` has no `[workspace.metadata.release]`; docs/configuration.md shows a whole one"
            );
        };
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
        self.smoke.check()
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
pub(crate) mod tests {
    use super::Config;

    const MANIFEST: &str = r#"
        [workspace]
        members = ["xtask"]

        [workspace.metadata.release]
        forge = "https://forge.example.org/"
        repository = "Acme/carol"
        title = "carol"
        description = "a service"
        licenses = "MIT"
        platforms = ["linux/amd64"]
        branches = ["main"]

        [workspace.metadata.release.smoke]
        port = 3000
        health = "/healthz"
        version = "/version"
    "#;

    /// For the tests of what works with a configuration.
    pub(crate) fn example() -> Config {
        Config::from_manifest(MANIFEST).unwrap()
    }

    /// As [`example`], with another line.
    pub(crate) fn example_with(line: &str) -> Config {
        Config::from_manifest(&MANIFEST.replacen("title =", &format!("{line}\ntitle ="), 1)).unwrap()
    }

    #[test]
    fn the_image_and_the_source_follow_from_forge_and_repository() {
        let config = Config::from_manifest(MANIFEST).unwrap();
        assert_eq!(config.image().unwrap().to_string(), "forge.example.org/acme/carol");
        assert_eq!(config.source_url(), "https://forge.example.org/Acme/carol");
    }

    #[test]
    fn what_cannot_be_meant_is_refused_by_name() {
        let cases = [
            ("platforms =", "platfroms =", "platfroms"),
            ("port =", "prot =", "prot"),
            ("https://forge.example.org/", "forge.example.org", "forge.example.org"),
            ("https://", "https://user:password@", "not a web address"),
            ("Acme/carol", "acme/../carol", "not a repository"),
            (r#"["linux/amd64"]"#, "[]", "`platforms` is empty"),
            ("title =", "image = \"carol\"\ntitle =", "image"),
            ("title =", "service = \"../x\"\ntitle =", "not a folder"),
            ("title =", "service = \"/x\"\ntitle =", "not a folder"),
            ("title =", "service = \"a//b\"\ntitle =", "not a folder"),
            ("/healthz", "healthz", "smoke.health"),
            ("port = 3000", "port = ", "lists the keys"),
        ];
        for (from, to, expected) in cases {
            let error = Config::from_manifest(&MANIFEST.replacen(from, to, 1)).unwrap_err();
            let error = format!("{error:#}");
            assert!(error.contains(expected), "expected `{expected}` in: {error}");
        }
    }

    #[test]
    fn a_workspace_without_the_table_is_told_where_to_look() {
        for manifest in ["", "[workspace]", "[package.metadata.release]"] {
            let error = Config::from_manifest(manifest).unwrap_err().to_string();
            assert!(error.contains("docs/configuration.md"), "{error}");
        }
    }
}

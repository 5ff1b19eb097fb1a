//! The sources of a configuration: a work tree, a commit, the text of a manifest.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{Config, MANIFEST};
use crate::inputs::pin::document;
use crate::inputs::toml;
use crate::process::failure::refused;
use crate::process::file::if_any;
use crate::refuse;
use crate::tool::git::{Commit, Git};

/// What to do in a repository without a configuration.
const NOT_ADOPTED: &str = "this repository does not release with this tool yet; run `cargo xtask init DIR` in a checkout of \
    the tool";

/// What to do if HEAD has no configuration.
fn without_one(root: &Path) -> &'static str {
    if root.join(MANIFEST).is_file() {
        "the work tree has one; commit it, or try it first with `cargo xtask rehearse --work-tree`"
    } else {
        NOT_ADOPTED
    }
}

/// The text of a manifest.
fn text(manifest: &[u8]) -> Result<&str> {
    std::str::from_utf8(manifest).with_context(|| format!("reading `{MANIFEST}`: it is not UTF-8"))
}

impl Config {
    /// Reads the configuration of the work tree at `root`.
    ///
    /// # Errors
    /// A [`Refusal`] when the file or the table is missing, a key is unknown or a value is invalid: nothing can begin
    /// without a configuration.
    ///
    /// [`Refusal`]: crate::process::failure::Refusal
    pub fn of_work_tree(root: &Path) -> Result<Self> {
        let path = root.join(MANIFEST);
        let text = if_any(std::fs::read_to_string(&path));
        let text = text.with_context(|| format!("reading `{}`", path.display())).map_err(refused)?;
        let Some(text) = text else { refuse!("there is no `{}`: {NOT_ADOPTED}", path.display()) };
        Self::from_manifest(&text).map_err(refused)
    }

    /// Reads the configuration of `commit`. This one decides about the commit's image, not the one in the work tree, so
    /// that a newer xtask that finishes an older tag produces the same digest.
    ///
    /// # Errors
    /// As [`Config::of_work_tree`], and when git fails.
    pub fn of_commit(git: &Git, commit: &Commit) -> Result<Self> {
        let read = || {
            let [manifest] = git.files(commit, [MANIFEST])?;
            if manifest.is_none() && git.peel("HEAD")?.as_ref() == Some(commit) {
                bail!("commit {commit} has no `{MANIFEST}`: {}", without_one(git.root()));
            }
            Self::of_file(commit, manifest)
        };
        read().map_err(refused)
    }

    /// As [`Config::of_commit`]; `None` if the commit is older than the use of this tool.
    ///
    /// # Errors
    /// As [`Config::of_commit`].
    pub fn if_any(git: &Git, commit: &Commit) -> Result<Option<Self>> {
        let [manifest] = git.files(commit, [MANIFEST])?;
        if !Self::is_in(manifest.as_deref()).with_context(|| format!("reading commit {commit}"))? {
            return Ok(None);
        }
        Self::of_file(commit, manifest).map(Some)
    }

    /// The configuration at HEAD, which the person or the workflow has checked out. Secrets go only to its hosts,
    /// whatever a released commit says.
    ///
    /// # Errors
    /// When HEAD has no configuration.
    pub fn of_head(git: &Git) -> Result<Self> {
        let Some(head) = git.peel("HEAD")? else { refuse!("HEAD has no commit yet; commit something first") };
        Self::of_commit(git, &head).context("reading the configuration at HEAD")
    }

    /// As [`Config::of_commit`], from the bytes that git has for [`MANIFEST`].
    ///
    /// # Errors
    /// As [`Config::of_commit`].
    pub fn of_file(commit: &Commit, manifest: Option<Vec<u8>>) -> Result<Self> {
        let manifest = manifest.with_context(|| format!("commit {commit} has no `{MANIFEST}`"))?;
        Self::from_manifest(text(&manifest)?)
    }

    /// Whether `manifest`, the bytes that git has for [`MANIFEST`], contains the table, valid or not. A commit without
    /// it is older than the use of this tool.
    ///
    /// # Errors
    /// When the manifest cannot be read, so that nobody knows whether it has the table.
    pub fn is_in(manifest: Option<&[u8]>) -> Result<bool> {
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
            release: Option<IgnoredAny>,
        }
        let Some(manifest) = manifest else { return Ok(false) };
        let manifest: Manifest =
            toml::parse(text(manifest)?).with_context(|| format!("reading `{MANIFEST}`"))?;
        Ok(manifest.workspace.and_then(|workspace| workspace.metadata?.release).is_some())
    }

    /// Parses the text of a [`MANIFEST`].
    ///
    /// # Errors
    /// As [`Config::of_work_tree`].
    pub fn from_manifest(text: &str) -> Result<Self> {
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
        const READING: &str = concat!(
            "reading `[workspace.metadata.release]` in `Cargo.toml`; ",
            document!("configuration.md"),
            " lists the keys"
        );
        let manifest: Manifest = toml::parse(text).context(READING)?;
        let release = manifest.workspace.and_then(|workspace| workspace.metadata?.release);
        let Some(config) = release else {
            bail!(
                "`Cargo.toml` has no `[workspace.metadata.release]`; a complete one is in {}",
                document!("configuration.md")
            );
        };
        config.check().context("checking `[workspace.metadata.release]` in `Cargo.toml`")?;
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::Config;
    use crate::process::temp_dir::TempDir;

    #[test]
    fn init_is_suggested_in_a_repository_without_a_manifest() {
        let scratch = TempDir::new().unwrap();
        let error = Config::of_work_tree(scratch.path()).unwrap_err().to_string();
        assert!(error.starts_with("there is no `/") && error.contains("`cargo xtask init DIR`"), "{error}");
    }
}

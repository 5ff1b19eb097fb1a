//! What a commit decides about its release, read from git and never from the work tree: what the Dockerfile and the
//! lockfile pin, the digests of the files that do, and the public key.

use anyhow::{Context as _, Result};

use crate::dockerfile::{self, BaseImages};
use crate::lockfile::{self, Lockfile};
use crate::reference::Digest;
use crate::tool::git::{Commit, Git};

/// The build's recipe, at the top of the repository.
pub const DOCKERFILE: &str = "Dockerfile";
/// What the service asks for.
pub const PACKAGE_JSON: &str = "service/package.json";
/// What it gets.
pub const PACKAGE_LOCK: &str = "service/package-lock.json";
/// The public half of the signing key.
pub const PUBLIC_KEY: &str = "cosign.pub";

/// What a commit pins.
pub struct Inputs {
    /// What the Dockerfile pins.
    pub base: BaseImages,
    /// What the lockfile pins.
    pub lockfile: Lockfile,
    /// Path and digest of each file that decides what is built.
    pub files: Vec<(String, Digest)>,
    /// `cosign.pub`, where the commit has one.
    pub public_key: Option<Vec<u8>>,
}

impl Inputs {
    /// Reads what `commit` pins.
    ///
    /// # Errors
    /// A [`crate::failure::Refusal`] when the Dockerfile or the lockfile breaks a rule; other errors when a file is missing.
    pub fn of_commit(git: &Git, commit: &Commit) -> Result<Self> {
        Self::of_files(commit, git.files(commit, Self::FILES)?)
    }

    /// What is read of a commit.
    pub const FILES: [&str; 4] = [DOCKERFILE, PACKAGE_JSON, PACKAGE_LOCK, PUBLIC_KEY];

    /// As [`Inputs::of_commit`], of what git gave for [`Inputs::FILES`].
    ///
    /// # Errors
    /// As [`Inputs::of_commit`].
    pub fn of_files(commit: &Commit, files: [Option<Vec<u8>>; 4]) -> Result<Self> {
        let [recipe, manifest, lock, public_key] = files;
        let required = |path: &str, found: Option<Vec<u8>>| {
            found.with_context(|| format!("commit {commit} has no `{path}`"))
        };
        let recipe = required(DOCKERFILE, recipe)?;
        let (manifest, lock) = (required(PACKAGE_JSON, manifest)?, required(PACKAGE_LOCK, lock)?);
        let text = std::str::from_utf8(&recipe).context("reading `Dockerfile`: it is not UTF-8")?;
        let file = |path: &str, bytes: &[u8]| (path.to_owned(), Digest::of(bytes));
        Ok(Self {
            base: dockerfile::check(text)?,
            lockfile: lockfile::check(&manifest, &lock)?,
            files: vec![file(DOCKERFILE, &recipe), file(PACKAGE_JSON, &manifest), file(PACKAGE_LOCK, &lock)],
            public_key,
        })
    }

    /// The digest of one of the files.
    ///
    /// # Errors
    /// When it is none of them.
    pub fn digest_of(&self, path: &str) -> Result<&Digest> {
        let file = self.files.iter().find(|(name, _)| name == path);
        file.map(|(_, digest)| digest).with_context(|| format!("`{path}` is not among the inputs"))
    }
}

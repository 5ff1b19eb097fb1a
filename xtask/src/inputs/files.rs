//! The files of a commit or of a work tree that decide what is built.

use std::path::Path;

use anyhow::{Context as _, Result, anyhow};

use super::config::{Config, MANIFEST};
use super::dockerfile::{self, Recipe};
use super::finding::{Finding, Rule, Unclear};
use super::pin::{self, ToolPin, document};
use super::{DOCKERFILE, NPMRC, PACKAGE_JSON, PACKAGE_LOCK, PUBLIC_KEY, Reader, npmrc};
use crate::oci::platform::Platform;
use crate::oci::reference::Digest;
use crate::process::file;

/// The file from which buildx 0.31 and newer reads a policy. The policy is written in a language of its own, and buildx
/// itself interprets it (<https://docs.docker.com/build/policies/usage/>).
const BUILD_POLICY: &str = "Dockerfile.rego";

/// The lockfile of a published package, which npm prefers to [`PACKAGE_LOCK`].
pub const SHRINKWRAP: &str = "npm-shrinkwrap.json";

/// The files that decide what is built, unparsed.
pub(super) struct Files {
    pub(super) recipe: Vec<u8>,
    /// Its path and content, as for `lock`.
    pub(super) manifest: (String, Vec<u8>),
    pub(super) lock: (String, Vec<u8>),
    /// Whether npm is configured to ignore peer dependencies.
    pub(super) legacy_peers: bool,
    pub(super) configuration: Option<Digest>,
    /// What must not be in the commit: files that another program would read in place of those above, and secrets.
    pub(super) misplaced: Vec<Finding>,
    pub(super) public_key: Option<Vec<u8>>,
    pub(super) tool: Option<ToolPin>,
}

impl Files {
    pub(super) fn read(config: &Config, read: Reader<'_>) -> Result<Self> {
        let [manifest, lock] = [PACKAGE_JSON, PACKAGE_LOCK].map(|name| config.service.join(name));
        let [npmrc_path, shrinkwrap] = [NPMRC, SHRINKWRAP].map(|name| config.service.join(name));
        let paths = [
            DOCKERFILE,
            &manifest,
            &lock,
            PUBLIC_KEY,
            pin::CARGO_LOCK,
            &npmrc_path,
            MANIFEST,
            BUILD_POLICY,
            &shrinkwrap,
        ];
        let mut found = read(&paths.map(str::to_owned))?.into_iter();
        let mut next = || found.next().flatten();
        let recipe = required(DOCKERFILE, next())?;
        let (manifest_bytes, lock_bytes) = (required(&manifest, next())?, required(&lock, next())?);
        let (public_key, cargo_lock, settings) = (next(), next(), next().unwrap_or_default());
        let configuration = next().map(|bytes| Digest::of(&bytes));
        let misplaced = [
            next().map(|_| policy()),
            next().map(|_| instead_of_the_lockfile(&shrinkwrap, &lock, config)),
            npmrc::literal_secret(&settings).map(|(line, key)| secret(&npmrc_path, line, key)),
        ];
        Ok(Self {
            recipe,
            manifest: (manifest, manifest_bytes),
            lock: (lock, lock_bytes),
            legacy_peers: npmrc::leaves_peers_alone(&settings),
            configuration,
            misplaced: misplaced.into_iter().flatten().collect(),
            public_key,
            tool: cargo_lock.map(|bytes| tool(&bytes)).transpose()?.flatten(),
        })
    }

    pub(super) fn read_recipe(&self, platforms: &[Platform]) -> Result<Recipe> {
        let text = std::str::from_utf8(&self.recipe)
            .context("it is not UTF-8")
            .map_err(|error| Unclear::error(Rule::InputsUnreadable, DOCKERFILE, error))?;
        let found =
            || Unclear { file: DOCKERFILE.to_owned(), findings: dockerfile::findings(text, platforms) };
        dockerfile::read(text, platforms).with_context(found)
    }

    /// The path and digest of each file that decides what is in the image.
    pub(super) fn digests(&self) -> Vec<(String, Digest)> {
        let file = |path: &str, bytes: &[u8]| (path.to_owned(), Digest::of(bytes));
        let [(manifest, manifest_bytes), (lock, lock_bytes)] = [&self.manifest, &self.lock];
        vec![file(DOCKERFILE, &self.recipe), file(manifest, manifest_bytes), file(lock, lock_bytes)]
    }
}

fn tool(cargo_lock: &[u8]) -> Result<Option<ToolPin>> {
    ToolPin::of(cargo_lock).map_err(|error| Unclear::error(Rule::InputsUnreadable, pin::CARGO_LOCK, error))
}

fn policy() -> Finding {
    let text = format!(
        "`{BUILD_POLICY}` is a policy that buildx 0.31 and newer interprets on the machine that builds, and nothing of a \
         commit may be interpreted there; remove or rename it"
    );
    Finding::error(Rule::DockerfilePolicy, BUILD_POLICY, text)
}

/// npm takes this file if both are there (npm-shrinkwrap.json(5)), while the SBOM and every check are of the lockfile.
fn instead_of_the_lockfile(shrinkwrap: &str, lock: &str, config: &Config) -> Finding {
    let text = format!(
        "npm reads `{shrinkwrap}` in place of `{lock}`, and what it says is not checked; keep one of them as \
         `{PACKAGE_LOCK}`: `git rm {lock} && git mv {shrinkwrap} {lock}`, or `git rm {shrinkwrap}`; then run \
         `npm install --package-lock-only` {}",
        config.service.in_words()
    );
    Finding::error(Rule::LockfileOutOfSync, shrinkwrap, text)
}

fn secret(path: &str, line: usize, key: &str) -> Finding {
    let text = format!(
        "line {line} has the secret itself after `{key}`, where everybody who reads the commit has it; revoke it, and write \
         `${{NAME}}` with a variable of `build-secrets` ({})",
        document!("services.md#private-packages")
    );
    Finding::error(Rule::NpmrcSecret, path, text)
}

/// The largest file that is read, in bytes. No file of a release is larger, and files of a commit have the same limit.
const MAX_SIZE: u64 = 64 << 20;

/// The file `path` in the work tree at `root`, if it exists. A symbolic link is refused: a release reads the commit, in
/// which a link is only the path that it points to.
///
/// # Errors
/// When it exists but cannot be read.
pub fn in_work_tree(root: &Path, path: &str) -> Result<Option<Vec<u8>>> {
    file::read(&root.join(path), MAX_SIZE).with_context(|| format!("reading `{path}`"))
}

pub(super) fn required(path: &str, found: Option<Vec<u8>>) -> Result<Vec<u8>> {
    let missing = || Unclear::error(Rule::InputsUnreadable, path, anyhow!("there is no `{path}`"));
    found.ok_or_else(missing)
}

//! What a commit determines about its release: the pins of its Dockerfile and lockfile, the digests of the files that
//! decide what is built, and the public key. All of it is read from git, never from the work tree.

pub mod config;
pub mod credentials;
pub mod dockerfile;
pub mod engines;
pub mod exceptions;
mod files;
pub mod finding;
pub mod history;
#[cfg(test)]
mod hostile;
pub mod keys;
pub mod lockfile;
pub mod native;
pub mod npmrc;
pub mod people;
pub mod pin;
pub mod pulls;
pub mod release;
pub mod run;
pub mod shape;
pub mod signers;
pub mod source;
pub mod stand_in;
#[cfg(test)]
mod tests;
mod toml;
pub mod version;
pub mod words;

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};

use crate::inputs::config::{Config, MANIFEST};
use crate::inputs::dockerfile::{BaseImages, Download, NetworkedStep, Own, Recipe};
use crate::inputs::files::{Files, required};
use crate::inputs::finding::{Finding, Rule, Unclear};
use crate::inputs::lockfile::{Libc, Lockfile, Registries, Target};
use crate::inputs::native::Installed;
use crate::inputs::pin::ToolPin;
use crate::oci::platform::Platform;
use crate::oci::reference::Digest;
use crate::process::failure::{Refusal, refused};
use crate::tool::git::{Commit, Git};

pub use files::{SHRINKWRAP, in_work_tree};

/// The build's recipe, at the top of the repository.
pub const DOCKERFILE: &str = "Dockerfile";
/// The service's declared dependencies, in its folder.
pub const PACKAGE_JSON: &str = "package.json";
/// The locked versions of its dependencies, in the same folder.
pub const PACKAGE_LOCK: &str = "package-lock.json";
/// The npm configuration for that folder.
pub const NPMRC: &str = ".npmrc";
/// The public half of the signing key.
pub const PUBLIC_KEY: &str = "cosign.pub";
/// Who may sign a tag, in the format of `gpg.ssh.allowedSignersFile` (ssh-keygen(1), "ALLOWED SIGNERS"). Only the file
/// on the forge's default branch counts.
pub const ALLOWED_SIGNERS: &str = "keys/allowed_signers";
/// The `cosign.pub` in this project's own repository. Nobody has its private half: a copy of the repository needs a key
/// pair of its own (docs/keys.md).
const PLACEHOLDER_KEY: &str = "sha256:6f450da5d3b094b19cde1c67adc2290e9b5c4d124d66ef7cc080270540aa36e4";

/// Whether `key` is the placeholder, with which nothing can be signed because nobody has its private half.
#[must_use]
pub fn is_placeholder(key: &[u8]) -> bool {
    Digest::of(key).as_str() == PLACEHOLDER_KEY
}

/// Whether this is the test script that `npm init` writes, which always fails.
#[must_use]
pub fn is_placeholder_test(script: &str) -> bool {
    script.contains("Error: no test specified") && script.contains("exit 1")
}

/// What a commit pins.
pub struct Inputs {
    /// The base images, from the Dockerfile.
    pub base: BaseImages,
    /// The files that the Dockerfile downloads, each with its digest.
    pub downloads: Vec<Download>,
    /// The steps of the Dockerfile that have a network.
    pub networked: Vec<NetworkedStep>,
    /// What the Dockerfile adds to the base image.
    pub own: Own,
    /// The packages, from the lockfile.
    pub lockfile: Lockfile,
    /// The path and digest of each file that decides what is built.
    pub files: Vec<(String, Digest)>,
    /// The digest of the file with the configuration.
    pub configuration: Option<Digest>,
    /// `cosign.pub`, if the commit has one.
    pub public_key: Option<Vec<u8>>,
    /// The release tool, if it is a dependency and not part of the repository.
    pub tool: Option<ToolPin>,
    /// The broken rules. A commit that breaks one is not released, but an earlier release of it can still be verified.
    pub problems: Vec<Finding>,
    /// What is allowed but has a price.
    pub notes: Vec<Finding>,
}

/// Reads files of a commit or of a work tree: the bytes at each path, in order, or `None` where there is no file.
pub type Reader<'a> = &'a dyn Fn(&[String]) -> Result<Vec<Option<Vec<u8>>>>;

impl Inputs {
    /// Reads the pins of `commit`, whose configuration is `config`.
    ///
    /// # Errors
    /// A [`Refusal`] when a file is missing or cannot be read, or breaks a rule.
    pub fn of_commit(git: &Git, commit: &Commit, config: &Config) -> Result<Self> {
        let read = |paths: &[String]| git.files_at(commit, paths);
        let inputs = Self::read(config, &read);
        inputs.with_context(|| format!("reading what commit {commit} pins")).map_err(refused)
    }

    /// As [`Inputs::of_commit`], from any source.
    ///
    /// # Errors
    /// A [`Refusal`] when the Dockerfile or the lockfile breaks a rule; other errors when a file is missing.
    pub fn read(config: &Config, read: Reader<'_>) -> Result<Self> {
        let files = Files::read(config, read)?;
        let recipe = files.read_recipe(&config.platforms)?;
        let Recipe { base, downloads, networked, own, libc, runs_on_target, findings } = recipe;
        let (mut problems, mut notes): (Vec<_>, Vec<_>) = findings.into_iter().partition(Finding::is_error);
        let errors = |rule: Rule, file: &str, texts: Vec<String>| {
            let file = file.to_owned();
            texts.into_iter().map(move |text| Finding::error(rule, file.clone(), text))
        };
        problems.extend(files.misplaced.clone());
        let lock = &*files.lock.0;
        let lockfile = lockfile::check(&config.service, &files.manifest.1, &files.lock.1)?;
        let unreadable = |error| Unclear::error(Rule::InputsUnreadable, lock, error);
        let locals = lockfile.local_manifests(&config.service).map_err(unreadable)?;
        let bytes = read(&locals.iter().map(|(_, path)| path.clone()).collect::<Vec<_>>())?;
        let locals = locals.into_iter().zip(bytes);
        let locals = locals.map(|((folder, path), bytes)| Ok((folder, required(&path, bytes)?)));
        let locals: BTreeMap<_, _> = locals.collect::<Result<_>>()?;
        let undecided = native::without_a_stage(&config.native, runs_on_target.is_some());
        problems.extend(errors(Rule::NativeDecision, MANIFEST, undecided.into_iter().collect()));
        problems.extend(errors(Rule::LockfileOutOfSync, lock, lockfile.problems(&config.service, &locals)?));
        let marks = lockfile.wrong_marks(&config.service, files.legacy_peers);
        problems.extend(errors(Rule::LockfileMarks, lock, marks));
        let (elsewhere, host) = lockfile.elsewhere(&config.service, &Registries::of(config));
        problems.extend(errors(Rule::LockfileRegistry, lock, elsewhere));
        notes.extend(host.map(|text| Finding::note(Rule::LockfileHosts, lock, text)));
        let open = lockfile.open_overrides(&config.service);
        notes.extend(open.map(|text| Finding::note(Rule::LockfileOutOfSync, lock, text)));
        let (manifest, bytes) = &files.manifest;
        let engines = engines::note(bytes, &base.last.reference)?;
        notes.extend(engines.map(|text| Finding::note(Rule::ServiceEngines, manifest.clone(), text)));
        let scripts = lockfile.own_scripts().into_iter();
        notes.extend(scripts.map(|text| Finding::note(Rule::ServiceInstallScript, lock, text)));
        match installed(&lockfile, &config.platforms, libc) {
            Ok(installed) => {
                let targets = targets(&config.platforms, libc)?;
                let missing = lockfile.unlocked(&config.service, &targets);
                problems.extend(errors(Rule::LockfileMissingEntry, lock, missing));
                let both = lockfile.without_libc(&config.service, &targets)?;
                notes.extend(both.map(|text| Finding::note(Rule::LockfileMissingEntry, lock, text)));
                let undecided = native::problems(&config.native, &installed, &downloads);
                problems.extend(errors(Rule::NativeDecision, MANIFEST, undecided));
            }
            Err(error) => {
                problems.extend(errors(Rule::LockfileMissingEntry, lock, vec![format!("{error:#}")]));
            }
        }
        Ok(Self {
            base,
            downloads,
            networked,
            own,
            lockfile,
            files: files.digests(),
            configuration: files.configuration,
            public_key: files.public_key,
            tool: files.tool,
            problems,
            notes,
        })
    }

    /// # Errors
    /// A [`Refusal`] that lists every broken rule.
    pub fn ensure_kept(&self) -> Result<()> {
        if self.problems.is_empty() {
            return Ok(());
        }
        Err(Refusal::new(finding::joined(&self.problems)).into())
    }

    /// Checks that no file of the commit is interpreted on the machine that runs the build, outside of the builder. The
    /// other rules are about what is released. This one protects the machine, so it also applies to a rebuild of what
    /// was released under older rules.
    ///
    /// # Errors
    /// A [`Refusal`] that names the file.
    pub fn ensure_inert(&self) -> Result<()> {
        let policy = self.problems.iter().find(|problem| problem.rule == Rule::DockerfilePolicy);
        policy.map_or(Ok(()), |problem| Err(Refusal::new(problem.to_string()).into()))
    }

    /// The path and digest of the lockfile.
    ///
    /// # Errors
    /// When there is none.
    pub fn package_lock(&self) -> Result<(&str, &Digest)> {
        let is_lockfile = |path: &str| path.rsplit('/').next() == Some(PACKAGE_LOCK);
        let file = self.files.iter().find(|(path, _)| is_lockfile(path));
        file.map(|(path, digest)| (path.as_str(), digest)).context("the lockfile is not among the inputs")
    }
}

fn targets(platforms: &[Platform], libc: Libc) -> Result<Vec<Target>> {
    platforms.iter().map(|platform| Target::new(platform, libc)).collect()
}

fn installed(lockfile: &Lockfile, platforms: &[Platform], libc: Libc) -> Result<Installed> {
    let installed = |platform: &Platform| {
        let packages = lockfile.installed(&Target::new(platform, libc)?)?;
        Ok((platform.clone(), packages))
    };
    platforms.iter().map(installed).collect()
}

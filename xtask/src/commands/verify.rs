//! `cargo xtask verify`: checks the claims of one release or of all, with read access only. Only `--attest` writes: a
//! statement by the rebuilder.

mod attest;
mod before;
mod claims;
mod key;
mod login;
mod options;
pub mod outcome;
mod reading;
mod report;
mod secrets;
mod subject;
mod wanted;

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};

use crate::evidence::page::PublishedPage;
use crate::forge::Read;
use crate::http::Curl;
use crate::inputs::config::{Config, Timeouts};
use crate::inputs::source::{Source, release_tags};
use crate::inputs::version::ReleaseTag;
use crate::oci::keychain::Keychain;
use crate::oci::reference::{Digest, Image};
use crate::oci::registry::Client;
use crate::process::Runner;
use crate::process::environment::Environment;
use crate::process::parallel::in_parallel;
use crate::process::stderr;
use crate::tool::cosign::{Program, SigningKey};
use crate::tool::git::Commit;
use crate::verify::survey::{Asked, Shared};
use crate::verify::{self, Layout, SharedClone, labels_of};

use before::{older_than_this_tool, unread, without_commit};
pub use options::Options;
use reading::Reading;
use report::Entry;
use secrets::Allowed;
use subject::{Repository, Subject, release_of_image};
use wanted::Wanted;

/// The most releases that one run checks: more than any project has. Each of them takes dozens of requests.
const MAX_RELEASES: usize = 5_000;

fn check_count(releases: usize) -> Result<()> {
    ensure!(
        releases <= MAX_RELEASES,
        "there are {releases} version tags and pages, and at most {MAX_RELEASES} are checked at once; find out who made \
         them, or verify single ones: `cargo xtask verify v1.2.3`"
    );
    Ok(())
}

/// The parts of one run.
struct Verify<'a> {
    environment: &'a Environment,
    runner: &'a Runner,
    repository: &'a Repository,
    options: &'a Options,
    key: Option<Vec<u8>>,
    /// With `--attest`: signs the statement about the rebuild.
    attest_key: Option<SigningKey>,
    /// The only program that gets that key.
    cosign: Program,
    /// Empty without `--login`.
    keychain: Keychain,
    /// What a rebuild may use.
    allowed: Allowed,
    shared: SharedClone,
}

/// Verifies what `options` name.
///
/// # Errors
/// [`crate::process::failure::Verdicts`] with exit code 1 when a claim is false, 4 when one could not be checked or
/// any other problem occurred; [`crate::process::failure::Misuse`] for invalid arguments.
pub fn run(environment: &Environment, options: &Options) -> Result<()> {
    run_inner(environment, options).map_err(outcome::of_error)
}

fn run_inner(environment: &Environment, options: &Options) -> Result<()> {
    let runner = &Runner::new(environment);
    let wanted = Wanted::of(options.what.as_deref())?;
    options.check_paths()?;
    let key = options.read_key()?;
    let attest_key = options.attest_key.as_deref().map(|file| attest::key(environment, file)).transpose()?;
    let repository = &Repository::find(runner, options.source.as_deref())?;
    let cosign = match &attest_key {
        Some(_) => attest::cosign(environment, repository)?,
        None => "cosign".into(),
    };
    let keychain =
        if options.login { login::keychain(environment, repository, &wanted)? } else { Keychain::default() };
    let verify = Verify {
        environment,
        runner,
        repository,
        options,
        key,
        attest_key,
        cosign,
        keychain,
        allowed: Allowed::of(options, repository)?,
        shared: SharedClone::default(),
    };
    let entries = if options.all { verify.all()? } else { vec![verify.one(&wanted)?] };
    let printed = report::print(&entries, options.json);
    if let Err(verdict) = report::conclude(&entries) {
        // The verdict decides the exit code, even if the report could not be printed.
        if let Err(unprinted) = printed {
            stderr::line(format_args!("xtask: {unprinted:#}"));
        }
        return Err(verdict);
    }
    printed?;
    for Entry { unattested, unsaved, .. } in entries {
        if let Some(error) = unattested {
            return Err(error.context("every claim holds, and the rebuild could not be attested"));
        }
        if let Some(error) = unsaved {
            return Err(error.context("every claim holds, and it could not be saved"));
        }
    }
    Ok(())
}

impl Verify<'_> {
    fn one(&self, wanted: &Wanted) -> Result<Entry> {
        let layout = self.options.offline.as_deref().map(Layout::open).transpose()?;
        let source = match wanted {
            Wanted::VersionTag => Source::to_read(&self.repository.git, self.options.what.as_deref())?,
            Wanted::Digest(image, digest) => self.source_of_image(image, digest, layout.as_ref())?,
        };
        let subject = Subject::of(self.repository, source)?;
        let image = if let Wanted::Digest(image, _) = wanted { Some(image) } else { None };
        self.read(&subject.config, image, |reading| {
            let shared = Shared::new(&reading.registry, &self.repository.git, None);
            let asked = match (&layout, wanted) {
                (Some(layout), _) => Asked::Layout(layout),
                (None, Wanted::Digest(_, digest)) => Asked::Digest(digest),
                (None, Wanted::VersionTag) => Asked::VersionTag,
            };
            self.survey(reading, &subject, &asked, &shared)
        })
    }

    /// The commit of the release that the image claims to be. With a directory (`--offline`), no server is queried,
    /// so the directory has to hold this very image: otherwise another one would be judged in its place.
    fn source_of_image(&self, image: &Image, digest: &Digest, layout: Option<&Layout>) -> Result<Source> {
        let git = &self.repository.git;
        let labels = match layout {
            Some(layout) => {
                self.options.check_is_in_layout(digest, layout.image())?;
                layout.labels()?
            }
            None => labels_of(&self.client(image)?, digest)?,
        };
        let (tag, revision) = release_of_image(&labels, &image.pinned(digest))?;
        match revision.filter(|_| image.registry.is_loopback()) {
            Some(revision) if git.peel(&tag.git_ref())?.is_none() => {
                Source::of_rehearsal(git, tag, &revision)
            }
            _ => Source::of_tag(git, tag),
        }
    }

    /// A client for the image's registry. If the repository has a configuration, it decides how the registry is
    /// reached.
    fn client(&self, image: &Image) -> Result<Client> {
        let config = self.config()?;
        let image = config.as_ref().map_or_else(|| image.clone(), |config| config.reached(image.clone()));
        let credentials = self.keychain.credentials(&image.registry).cloned();
        let client = Client::new(Curl::new(self.runner, Timeouts::default().http()), image, credentials);
        Ok(match config {
            Some(config) => client.with_plain_http(&config.plain_http),
            None => client,
        })
    }

    /// The configuration at HEAD, if any.
    fn config(&self) -> Result<Option<Config>> {
        let git = &self.repository.git;
        git.peel("HEAD")?.map_or(Ok(None), |head| Config::if_any(git, &head))
    }

    /// Verifies everything that has a version tag or a page. The pages and the registry's tags are listed once per
    /// run.
    fn all(&self) -> Result<Vec<Entry>> {
        let config = Config::of_head(&self.repository.git)?;
        self.read(&config, None, |reading| {
            let doing = || "listing what is released; nothing was checked";
            let pages = reading.forge.pages().with_context(doing)?;
            let tags = reading.registry.tags().with_context(doing)?;
            let in_registry: BTreeSet<ReleaseTag> = release_tags(&tags).into_iter().collect();
            let mut released = in_registry.clone();
            released.extend(pages.iter().map(|page: &PublishedPage| page.page.tag.clone()));
            ensure!(!released.is_empty(), "`{}` has no release yet", reading.image);
            check_count(released.len()).with_context(doing)?;
            let shared = Shared::new(&reading.registry, &self.repository.git, Some(pages));
            let released: Vec<_> = released.into_iter().collect();
            in_parallel(&released, |tag| {
                // If one tag cannot be checked, still report on the others.
                match self.repository.git.peel(&tag.git_ref()) {
                    Err(error) => unread(tag, None, error),
                    Ok(None) => Ok(without_commit(tag, &verify::seen(reading.forge.tag(tag)))),
                    Ok(Some(commit)) => self
                        .one_of_all(reading, &shared, &in_registry, tag, &commit)
                        .or_else(|error| unread(tag, Some(commit.to_string()), error)),
                }
            })
        })
    }

    fn one_of_all(
        &self,
        reading: &Reading<'_>,
        shared: &Shared<'_>,
        in_registry: &BTreeSet<ReleaseTag>,
        tag: &ReleaseTag,
        commit: &Commit,
    ) -> Result<Entry> {
        let git = &self.repository.git;
        if let Some(entry) = older_than_this_tool(git, shared, in_registry, &reading.image, tag, commit)? {
            return Ok(entry);
        }
        let subject = Subject::of(self.repository, Source::of_tag(git, tag.clone())?)?;
        if subject.config.image()? == reading.image {
            return self.survey(reading, &subject, &Asked::VersionTag, shared);
        }
        // It was released under another image name; look for it there.
        self.read(&subject.config, None, |reading| {
            let shared = Shared::new(&reading.registry, &self.repository.git, None);
            self.survey(reading, &subject, &Asked::VersionTag, &shared)
        })
    }

    /// Runs `work` with the registry, the forge and cosign for `config` and `image`. They get no secret, except with
    /// `--login`.
    fn read<T>(
        &self,
        config: &Config,
        image: Option<&Image>,
        work: impl FnOnce(&Reading<'_>) -> Result<T>,
    ) -> Result<T> {
        let image = image.map_or_else(|| config.image(), |image| Ok(config.reached(image.clone())))?;
        let access = reading::Access {
            runner: self.runner,
            environment: self.environment,
            git: &self.repository.git,
            config,
            keychain: &self.keychain,
            builds: self.options.rebuild,
            allowed: &self.allowed,
            cosign: &self.cosign,
        };
        reading::with(&access, &image, work)
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_RELEASES, check_count};

    #[test]
    fn more_releases_than_the_limit_are_not_checked_at_once() {
        assert!(check_count(MAX_RELEASES).is_ok());
        let words = check_count(MAX_RELEASES + 1).unwrap_err().to_string();
        assert!(
            words.contains("5001 version tags") && words.contains("`cargo xtask verify v1.2.3`"),
            "{words}"
        );
    }
}

//! The release: its steps in order, a line each. `docs/releasing.md` tells the same story in prose.

pub mod attest;
pub mod build;
pub mod candidate;
pub mod command;
pub mod export;
pub mod page;
pub mod preflight;
pub mod smoke;
pub mod source;
pub mod tags;
pub mod target;

use std::sync::OnceLock;

use anyhow::{Context as _, Result};

use crate::config::Config;
use crate::environment::Environment;
use crate::failure::refused;
use crate::forge::PublishedPage;
use crate::inputs::Inputs;
use crate::progress::{Steps, both};
use crate::reference::Digest;
use crate::registry;
use crate::tool::Runner;
use crate::tool::cosign::{Cosign, SBOM_TYPE, VerifyCommand};
use crate::tool::curl::Curl;
use crate::tool::docker::{Docker, DockerConfig};
use crate::tool::git::Git;
use crate::verify;

pub use attest::Attestations;
use export::Export;
use source::Source;
use target::Target;

/// What every command works with.
pub struct Session<'a> {
    /// Makes calls.
    pub runner: &'a Runner,
    /// The environment that the command was started in.
    pub environment: &'a Environment,
    /// The repository.
    pub git: &'a Git,
    /// What is released, and where.
    pub config: &'a Config,
    /// What a person sees.
    pub steps: &'a Steps,
}

/// The tools of one release, logged in and as a stranger.
pub struct Tools<'a> {
    /// May push.
    pub docker: Docker<'a>,
    /// May push.
    pub cosign: Cosign<'a>,
    /// May push.
    pub registry: registry::Client,
    /// Sees what everyone sees.
    pub stranger: Stranger<'a>,
}

/// What someone without credentials sees.
pub struct Stranger<'a> {
    /// Verifies.
    pub cosign: Cosign<'a>,
    /// Reads.
    pub registry: registry::Client,
}

/// What a release ended in.
pub struct Outcome {
    /// The image's digest: of the index.
    pub digest: Digest,
    /// Where the page is.
    pub page: String,
    /// How anyone checks the image.
    pub commands: Vec<VerifyCommand>,
    /// Nothing had to be done.
    pub was_finished: bool,
}

/// One release under way: what every step works with.
pub struct Release<'a> {
    /// The command that it is part of.
    pub session: &'a Session<'a>,
    /// The tools, logged in and as a stranger.
    pub tools: &'a Tools<'a>,
    /// Where it goes.
    pub target: &'a Target,
    /// What it is made from.
    pub source: &'a Source,
    /// What the source pins.
    pub inputs: &'a Inputs,
    export: OnceLock<Export>,
}

/// Releases `source` to `target`, or finishes what an earlier run began: what is done is read from the registry and the
/// forge, never from a record of our own.
///
/// # Errors
/// A [`crate::failure::Refusal`] when a rule or a conflict forbids it; any other error can be tried again.
pub fn run(session: &Session<'_>, target: &Target, source: &Source) -> Result<Outcome> {
    let inputs = &Inputs::of_commit(session.git, &source.commit).map_err(refused)?;
    let login = DockerConfig::new(session.environment, target.login())?;
    let anonymous = DockerConfig::new(session.environment, None)?;
    let tools = &tools(session, target, &login, &anonymous);
    let release = &Release::new(session, tools, target, source, inputs);
    let steps = session.steps;

    let (digest, made) = prove_or_make(release)?;
    let page = page::write(release, &digest)?;
    let published = steps.run("page", &page.title, || page::publish(target.forge.as_ref(), &page))?;
    let known = tags::Known::ask(&tools.registry)?;
    let moved = steps.run("latest", &tags::describe_latest(&known, source), || {
        let moved = tags::move_latest(release, &known, &digest)?;
        // After a backport the forge shows the wrong release as its latest.
        let settled = known.highest().map_or(Ok(false), |highest| target.forge.settle_latest(highest))?;
        Ok(moved || settled)
    })?;
    let closed = steps.run("close", "", || {
        verify::closed(release, &digest)?;
        tags::remove_candidates(release, &known)
    })?;
    let was_finished = !(made || published.changed || moved || closed);
    Ok(Outcome { commands: release.verify_commands(&digest), digest, page: published.address, was_finished })
}

/// The digest behind the version tag: proven again where it is public already, else made, proven and published.
fn prove_or_make(release: &Release<'_>) -> Result<(Digest, bool)> {
    let (steps, registry) = (release.session.steps, &release.tools.registry);
    let tag = release.source.tag.registry_tag();
    let name = release.target.image.tagged(&tag);
    let public = steps.run("look", &name, || registry.digest_of(tag.as_str()));
    let remedy = || format!("nothing was changed; {}", release.target.registry_remedy);
    let digest = match public.with_context(remedy).map_err(refused)? {
        Some(digest) => digest,
        None => match make(release)? {
            Made::Proven(digest) => {
                steps.run("tag", &name, || {
                    tags::check_git_tag(release)?;
                    tags::publish(registry, &tag, &digest)
                })?;
                return Ok((digest, true));
            }
            Made::Public(digest) => digest,
        },
    };
    steps.run("verify", "it is public already", || verify::published(release, &digest))?;
    Ok((digest, false))
}

/// What has become of an image that was made.
enum Made {
    /// Only its candidate tag names it.
    Proven(Digest),
    /// Another run of the same release published it meanwhile, and its attestations stay.
    Public(Digest),
}

/// Everything up to a proven image that only its candidate tag names.
fn make(release: &Release<'_>) -> Result<Made> {
    let Release { session, tools, target, source, .. } = release;
    let steps = session.steps;
    let (mut toolchain, sbom) = both(
        || steps.run("preflight", "", || preflight::run(release)),
        || {
            steps.run("export", source.commit.as_str(), || release.export().map(|_| ()))?;
            steps.run("sbom", "", || export::sbom(release).or_else(|error| export::explain(release, error)))
        },
    )?;
    let built = steps.run("build", &platforms(session.config), || build::run(release))?;
    let digest = built.digest.clone();
    let ((), builder) = both(
        || steps.run("smoke", &target.image.pinned(&digest), || smoke::run(release, &digest)),
        || tools.docker.builder(&session.config.builder),
    )?;
    toolchain.add_builder(&builder);

    let tag = source.tag.registry_tag();
    let is_public = || tags::is_public(&tools.registry, &tag, &digest);
    if is_public()? {
        return Ok(Made::Public(digest));
    }
    let provenance = build::provenance(release, &built, &toolchain, &sbom)?;
    let attestations = Attestations { provenance, sbom };
    let ((), signed) = both(
        || steps.run("sign", digest.as_str(), || attest::sign(release, &digest)),
        || steps.run("attest", "provenance, SBOM", || attest::attest(release, &digest, &attestations)),
    )?;
    if is_public()? {
        return Ok(Made::Public(digest));
    }
    steps.run("store", "both attestations at once", || attest::store(&tools.registry, &digest, &signed))?;
    steps.run("verify", "as a stranger, with the commands of the page", || {
        verify::fresh(release, &digest, &attestations)
    })?;
    Ok(Made::Proven(digest))
}

pub(crate) fn tools<'a>(
    session: &Session<'a>,
    target: &Target,
    login: &'a DockerConfig,
    anonymous: &'a DockerConfig,
) -> Tools<'a> {
    let (runner, timeouts) = (session.runner, session.config.timeouts);
    let curl = Curl::new(runner, timeouts.http());
    let client = |credentials| registry::Client::new(curl.clone(), target.image.clone(), credentials);
    Tools {
        docker: Docker::new(runner, login),
        cosign: Cosign::new(runner, &target.cosign, login, timeouts.cosign()),
        registry: client(target.credentials.clone()),
        stranger: Stranger {
            cosign: Cosign::new(runner, &target.cosign, anonymous, timeouts.cosign()),
            registry: client(None),
        },
    }
}

impl<'a> Release<'a> {
    /// Nothing is exported yet: a finished release needs no files.
    #[must_use]
    pub fn new(
        session: &'a Session<'a>,
        tools: &'a Tools<'a>,
        target: &'a Target,
        source: &'a Source,
        inputs: &'a Inputs,
    ) -> Self {
        Self { session, tools, target, source, inputs, export: OnceLock::new() }
    }

    /// The source as files, exported when they are first asked for.
    ///
    /// # Errors
    /// When git fails or the disk is full.
    pub fn export(&self) -> Result<&Export> {
        if let Some(export) = self.export.get() {
            return Ok(export);
        }
        let export = Export::of(self.session.git, &self.source.commit)?;
        Ok(self.export.get_or_init(|| export))
    }

    /// The commands that anyone checks the image with, as the page prints them and as the release itself runs them.
    #[must_use]
    pub fn verify_commands(&self, digest: &Digest) -> Vec<VerifyCommand> {
        let (key, image) = (&self.target.public_key_name, &self.target.image);
        vec![
            VerifyCommand::signature(key, self.source.tag.version(), image, &[digest]),
            VerifyCommand::attestation(key, "slsaprovenance1", image, digest),
            VerifyCommand::attestation(key, SBOM_TYPE, image, digest),
        ]
    }
}

fn platforms(config: &Config) -> String {
    config.platforms.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Whether a page had to be written, and where it is.
pub struct Published {
    /// Where a person reads it.
    pub address: String,
    /// It was not there, or was changed.
    pub changed: bool,
}

impl From<PublishedPage> for Published {
    fn from(page: PublishedPage) -> Self {
        Self { address: page.address, changed: false }
    }
}

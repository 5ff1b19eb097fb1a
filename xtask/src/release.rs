//! The release: its steps in order, a line each. `docs/releasing.md` tells the same story in prose.

pub mod attest;
pub mod build;
pub mod candidate;
pub mod command;
pub mod contents;
pub mod export;
mod finish;
pub mod logins;
pub mod make;
pub mod page;
pub mod plan;
pub mod preflight;
pub mod rebuilt;
pub(crate) mod secrets;
pub mod show_plan;
pub mod smoke;
pub mod source;
pub mod stand_in;
pub mod state;
pub mod tags;
pub mod target;
pub mod unfinished;

use std::sync::OnceLock;

use anyhow::{Context as _, Result};

use crate::config::Config;
use crate::environment::Environment;
use crate::failure::refused;
use crate::inputs::Inputs;
use crate::progress::Steps;
use crate::reference::Digest;
use crate::registry;
use crate::tool::cosign::{Cosign, SBOM_TYPE, VerifyCommand};
use crate::tool::curl::Curl;
use crate::tool::docker::{Docker, DockerConfig};
use crate::tool::git::Git;
use crate::tool::{Runner, Watch};

pub use attest::Attestations;
use export::Export;
use finish::Finished;
use make::Made;
use plan::{Facts, Plan, Step};
use source::Source;
use state::State;
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
    let inputs = &Inputs::of_commit(session.git, &source.commit, session.config).map_err(refused)?;
    inputs.ensure_kept()?;
    let login = logins::docker_config(session, target)?;
    let anonymous = DockerConfig::new(session.environment, None)?;
    let tools = &tools(session, target, &login, &anonymous);
    let release = &Release::new(session, tools, target, source, inputs);

    let public = published(release)?;
    let nothing = Facts::nothing_public(source.tag.is_stable());
    let first = Plan::of(&public.as_ref().map_or(nothing, |(_, state)| state.facts));
    let builds = first.does(Step::Build);
    let (digest, state) = match public {
        Some(public) if !builds => public,
        _ => make_and_publish(release)?,
    };
    let Finished { digest, page, changed } = finish::run(release, digest, state)?;
    let was_finished = !(builds || changed);
    Ok(Outcome { commands: release.verify_commands(&digest), digest, page, was_finished })
}

/// What is public already; `None` when there is no version tag.
fn published(release: &Release<'_>) -> Result<Option<(Digest, State)>> {
    let (steps, tag) = (release.session.steps, release.source.tag.registry_tag());
    let name = release.target.image.tagged(&tag);
    let found = steps.run("look", &name, || release.tools.registry.digest_of(tag.as_str()));
    let remedy = || format!("nothing was changed; {}", release.target.registry_remedy);
    let Some(digest) = found.with_context(remedy).map_err(refused)? else { return Ok(None) };
    let state =
        steps.run("verify", "version tag already published", || State::of_public(release, &digest))?;
    Ok(Some((digest, state)))
}

/// Everything up to the version tag.
fn make_and_publish(release: &Release<'_>) -> Result<(Digest, State)> {
    let (steps, tag) = (release.session.steps, release.source.tag.registry_tag());
    match make::run(release)? {
        Made::Proven(digest, smoked) => steps.run("tag", &release.target.image.tagged(&tag), || {
            tags::check_git_tag(release)?;
            let public = tags::publish(&release.tools.registry, &tag, &digest)?;
            let state = if public == digest {
                State::of_proven(release, &public, smoked)?
            } else {
                State::of_public(release, &public)?
            };
            Ok((public, state))
        }),
        Made::Public(digest) => {
            let state = steps
                .run("verify", "published by a concurrent run", || State::of_public(release, &digest))?;
            Ok((digest, state))
        }
    }
}

pub(crate) fn tools<'a>(
    session: &Session<'a>,
    target: &Target,
    login: &'a DockerConfig,
    anonymous: &'a DockerConfig,
) -> Tools<'a> {
    let (runner, timeouts) = (session.runner, session.config.timeouts);
    let curl = Curl::new(runner, timeouts.http());
    let client = |credentials| {
        registry::Client::new(curl.clone(), target.image.clone(), credentials)
            .with_plain_http(&session.config.plain_http)
    };
    Tools {
        docker: Docker::new(runner, login),
        cosign: Cosign::new(runner, &target.cosign, login, timeouts.cosign()),
        registry: client(target.credentials().cloned()),
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

    /// What docker is watched by while it talks to the registry, as it has no timeout of its own
    /// (docs/facts.md#silence). A registry that hangs costs at most twice `timeouts.http` this way.
    #[must_use]
    pub fn registry_watch(&self) -> Watch<'a> {
        let registry = &self.tools.registry;
        Watch::new(self.session.config.timeouts.http(), || registry.answers())
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

//! The release: its steps in order, one line each. `docs/releasing.md` describes the same in prose.
//!
//! Each step takes what the previous one gives, so that the wrong order does not compile: a [`build::Candidate`] is
//! attested, the gates of [`crate::verify`] prove what is attested, and only a [`Proven`] image gets a version tag.

pub mod assets;
mod attest;
mod build;
mod bundles;
mod conflict;
mod contents;
mod finish;
mod gate;
mod legacy;
mod make;
pub mod mark;
mod page;
pub mod plan;
pub mod preflight;
pub mod resign;
pub(crate) mod secrets;
pub(crate) mod smoke;
pub mod stale;
pub mod state;
pub mod step;
pub mod tags;
pub mod target;
pub mod unfinished;
pub mod visibility;
mod withdraw;

use std::sync::OnceLock;

use anyhow::{Error, Result};

use crate::build::{ImageBuild, logins};
use crate::contents::cache::Cache;
use crate::evidence::commands::verify_commands;
use crate::http::Curl;
use crate::inputs::Inputs;
use crate::inputs::config::Config;
use crate::inputs::history::History;
use crate::inputs::release::Release;
use crate::inputs::source::Source;
use crate::oci::reference::Digest;
use crate::oci::registry::Client;
use crate::process::environment::Environment;
use crate::process::progress::Steps;
use crate::process::{Runner, Watch};
use crate::tool::cosign::{Cosign, Program, VerifyCommand};
use crate::tool::docker::{Docker, DockerConfig, Engine};
use crate::tool::git::Git;
use crate::verify::{Anonymous, Verifier};

use finish::Finished;
use make::Made;
use plan::{Facts, Plan};
use state::State;
use step::Step;
use tags::Put;
use target::Target;

/// What every command works with.
#[derive(Clone, Copy)]
pub struct Session<'a> {
    /// Makes calls.
    pub runner: &'a Runner,
    /// The environment that the command was started in.
    pub environment: &'a Environment,
    /// The repository.
    pub git: &'a Git,
    /// What to release, and where.
    pub config: &'a Config,
    /// Progress output for people.
    pub steps: &'a Steps,
}

/// The tools of one release.
pub struct Tools<'a> {
    /// May push.
    pub docker: Docker<'a>,
    /// May push.
    pub cosign: Cosign<'a>,
    /// May push.
    pub registry: Client,
    /// The same tools without a login: what everyone sees.
    pub anonymous: Anonymous<'a>,
    /// What docker's engine said about itself, or why it did not, once it has been queried.
    engine: OnceLock<Result<Engine, String>>,
}

/// The result of a release.
pub struct Outcome {
    /// The digest of the image's index.
    pub digest: Digest,
    /// The page's address.
    pub page: String,
    /// The commands by which anyone checks the image.
    pub commands: [VerifyCommand; 3],
    /// Whether the release was already complete.
    pub was_finished: bool,
}

/// One release in progress.
pub struct Context<'a> {
    /// The command that this release is part of.
    pub session: Session<'a>,
    /// The tools.
    pub tools: &'a Tools<'a>,
    /// Where the release goes, and with which credentials.
    pub target: &'a Target,
    /// What is released.
    pub release: Release<'a>,
    /// The commits since the previous release.
    pub history: History,
    /// The build of its commit.
    pub build: ImageBuild<'a>,
    /// What the gates read from layers in the registry. What was read for the SBOM is not in it.
    published: Cache,
}

/// Releases `source` to `target`, or finishes what an earlier run began. What is done already is read from the registry
/// and the forge, never from a record of our own.
///
/// # Errors
/// A [`crate::process::failure::Refusal`] when a rule or a conflict forbids the release; after any other error, try
/// again.
pub fn run(session: &Session<'_>, target: &Target, source: &Source) -> Result<Outcome> {
    let inputs = &Inputs::of_commit(session.git, &source.commit, session.config)?;
    let login = logins::docker_config(session.config, session.environment, target.login(), session.steps)?;
    let anonymous = DockerConfig::new(session.environment, None)?;
    let tools = &Tools::new(session, target, &login, &anonymous);
    let context = &Context::new(session, tools, target, source, inputs)?;

    let public = published(context)?;
    let nothing = Facts::nothing_public(source.tag.is_stable());
    let first = Plan::of(&public.as_ref().map_or(nothing, |state| state.facts));
    let builds = first.does(Step::Build);
    if builds {
        // A release that is already public may be older than a rule, and is finished nevertheless.
        inputs.ensure_kept()?;
    }
    let (state, is_put) = match public {
        Some(state) if !builds => (state, false),
        _ => make_and_publish(context)?,
    };
    let Finished { digest, page, changed } = finish::run(context, state, is_put)?;
    let was_finished = !(builds || changed);
    Ok(Outcome { commands: verify_commands(&context.release, &digest), digest, page, was_finished })
}

/// What is public already; `None` if there is no version tag.
fn published(context: &Context<'_>) -> Result<Option<State>> {
    let tag = context.release.tag().registry_tag();
    let read = || context.tools.registry.digest_of(&tag);
    let found = context.step(Step::Look, &context.release.tagged(), read);
    let Some(digest) = found.map_err(|error| context.target.registry_error("nothing was changed", error))?
    else {
        return Ok(None);
    };
    let verify = || gate::state(context, &digest);
    context.step(Step::Verify, "version tag already published", verify).map(Some)
}

/// Everything up to the version tag, and whether this run put it. The page is composed first, so that nothing is
/// published if its page cannot be written.
fn make_and_publish(context: &Context<'_>) -> Result<(State, bool)> {
    let of_another_run = |digest: &Digest| {
        context.step(Step::Verify, "published by a concurrent run", || gate::state(context, digest))
    };
    let (candidate, proven) = match make::run(context)? {
        (candidate, Made::Proven(proven)) => (candidate, proven),
        (_, Made::Public(digest)) => return Ok((of_another_run(&digest)?, false)),
    };
    withdraw::unless_refused(context, &candidate, || {
        context.page(&proven)?;
        context.step(Step::Tag, &context.release.tagged(), || {
            tags::check_git_tag(context)?;
            let tag = context.release.tag().registry_tag();
            match tags::publish(&context.tools.registry, &tag, proven)? {
                Put::Ours(published) => Ok((State::of_published(context, published)?, true)),
                Put::Other(digest) => Ok((gate::state(context, &digest)?, false)),
            }
        })
    })
}

impl<'a> Tools<'a> {
    /// `login` can push; `anonymous` reads as everyone does.
    #[must_use]
    pub fn new(
        session: &Session<'a>,
        target: &Target,
        login: &'a DockerConfig,
        anonymous: &'a DockerConfig,
    ) -> Self {
        let (runner, timeouts) = (session.runner, session.config.timeouts);
        let curl = Curl::new(runner, timeouts.http());
        let client = |credentials| {
            Client::new(curl.clone(), target.image.clone(), credentials)
                .with_plain_http(&session.config.plain_http)
        };
        let program = Program::new(&target.cosign, &session.config.cosign_digests, session.environment);
        let cosign = |docker| Cosign::new(runner, program.clone(), docker, timeouts.cosign());
        Self {
            docker: Docker::new(runner, login),
            cosign: cosign(login),
            registry: client(target.credentials().cloned()),
            anonymous: Anonymous { cosign: cosign(anonymous), registry: client(None) },
            engine: OnceLock::new(),
        }
    }

    /// What docker's engine says about itself. It is queried once, for all preflight checks.
    ///
    /// # Errors
    /// As [`Docker::engine`].
    pub(crate) fn engine(&self) -> Result<&Engine> {
        let answer = self.engine.get_or_init(|| self.docker.engine().map_err(|error| format!("{error:#}")));
        answer.as_ref().map_err(|words| Error::msg(words.clone()))
    }

    /// Whether the builder can be queried. If it cannot, the check of docker itself reports why.
    pub(crate) fn can_build(&self) -> bool {
        self.engine().is_ok_and(|engine| engine.buildx.is_some())
    }
}

impl<'a> Context<'a> {
    /// The context of releasing `source` to `target`.
    ///
    /// # Errors
    /// When git cannot read the history.
    pub fn new(
        session: &Session<'a>,
        tools: &'a Tools<'a>,
        target: &'a Target,
        source: &'a Source,
        inputs: &'a Inputs,
    ) -> Result<Self> {
        let release = Release {
            config: session.config,
            source,
            inputs,
            image: &target.image,
            key_name: &target.public_key_name,
            stand_ins: &target.stand_ins,
        };
        Ok(Self {
            session: *session,
            tools,
            target,
            release,
            history: History::of(session.git, source, None)?,
            build: ImageBuild::new(release, &tools.docker, session.git, session.environment),
            published: Cache::new(session.environment)?,
        })
    }

    /// The verifier of this release; it only reads.
    #[must_use]
    pub fn verifier(&self) -> Verifier<'_> {
        Verifier {
            release: self.release,
            key: self.target.public_key.as_deref(),
            forge: &*self.target.forge,
            registry: &self.tools.registry,
            cosign: &self.tools.cosign,
            anonymous: &self.tools.anonymous,
            docker: &self.tools.docker,
            runner: self.session.runner,
            cache: &self.published,
            steps: self.session.steps,
        }
    }

    /// Runs `work` as a step.
    fn step<T>(&self, step: Step, detail: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
        self.session.steps.run(step.name(), detail, work)
    }

    /// Prints the finding of a step that is not run.
    fn line(&self, step: Step, detail: &str) {
        self.session.steps.line(step.name(), detail);
    }

    /// Watches docker while it talks to the registry, because docker has no timeout of its own (docs/facts.md#silence).
    /// A registry that hangs then costs at most twice `timeouts.http`.
    fn registry_watch(&self) -> Watch<'_> {
        let registry = &self.tools.registry;
        Watch::new(self.session.config.timeouts.http(), || registry.answers())
    }
}

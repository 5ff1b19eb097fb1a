//! The release: its steps in order, a line each. `docs/releasing.md` tells the same story in prose.

pub mod build;
pub mod command;
pub mod export;
pub mod page;
pub mod preflight;
pub mod prove;
pub mod smoke;
pub mod source;
pub mod tags;
pub mod target;

use anyhow::Result;

use crate::config::Config;
use crate::environment::Environment;
use crate::failure::Refusal;
use crate::forge::PublishedPage;
use crate::progress::{Steps, both};
use crate::reference::{Digest, Tag};
use crate::tool::Runner;
use crate::tool::cosign::{Cosign, PROVENANCE_TYPE, SBOM_TYPE, VerifyCommand};
use crate::tool::docker::{Docker, DockerConfig};
use crate::tool::git::Git;

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
    pub registry: crate::registry::Client,
    /// Sees what everyone sees.
    pub stranger: Stranger<'a>,
}

/// What someone without credentials sees.
pub struct Stranger<'a> {
    /// Verifies.
    pub cosign: Cosign<'a>,
    /// Reads.
    pub registry: crate::registry::Client,
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

/// Releases `source` to `target`, or finishes what an earlier run began: what is done is read from the registry and the
/// forge, never from a record of our own.
///
/// # Errors
/// A [`Refusal`] when a rule or a conflict forbids it; any other error can be tried again.
pub fn run(session: &Session<'_>, target: &Target, source: &Source) -> Result<Outcome> {
    let steps = session.steps;
    preflight::check_disk()?;
    let login = DockerConfig::new(session.environment, target.login())?;
    let anonymous = DockerConfig::new(session.environment, None)?;
    let tools = tools(session, target, &login, &anonymous);

    let version_tag = source.tag.registry_tag();
    let public = steps
        .run("look", &target.image.tagged(&version_tag), || tools.registry.digest_of(version_tag.as_str()))?;
    let (digest, export, made) = match public {
        Some(digest) => {
            let export = export::run(session, source)?;
            let accepted = steps.run("verify", "the version tag that is public already", || {
                prove::published(session, &tools, target, source, &export, &digest)
            });
            accepted.map_err(|error| conflict(target, &version_tag, &digest, error))?;
            (digest, export, false)
        }
        None => {
            let (digest, export) = make(session, &tools, target, source)?;
            steps.run("tag", &target.image.tagged(&version_tag), || {
                tags::publish(&tools.registry, &version_tag, &digest)
            })?;
            (digest, export, true)
        }
    };

    let page = page::write(session, target, source, &export, &digest)?;
    let published = steps.run("page", &page.title, || page::publish(target.forge.as_ref(), &page))?;
    let known = tags::Known::ask(session.git, &tools.registry)?;
    let moved = steps.run("latest", &tags::describe_latest(&known, source), || {
        let moved = tags::move_latest(session.git, &tools.registry, &known, source, &digest)?;
        // After a backport the forge shows the wrong release as its latest.
        let settled = known.highest().map_or(Ok(false), |highest| target.forge.settle_latest(highest))?;
        Ok(moved || settled)
    })?;
    let closed = steps.run("close", "", || tags::remove_candidate(&tools.registry, &known, source))?;
    let was_finished = !(made || published.changed || moved || closed);
    let commands = verify_commands(target, source, &digest);
    Ok(Outcome { digest, page: published.address, commands, was_finished })
}

/// Everything up to a proven image that only its candidate tag names.
fn make(
    session: &Session<'_>,
    tools: &Tools<'_>,
    target: &Target,
    source: &Source,
) -> Result<(Digest, Export)> {
    let steps = session.steps;
    let (toolchain, export) = both(
        || steps.run("preflight", "", || preflight::run(session, tools, target, source)),
        || {
            let export = export::run(session, source)?;
            steps.run("lockfile", "`npm ci` would take it", || export::check_with_npm(session, &export))?;
            Ok(export)
        },
    )?;
    let (built, sbom) = both(
        || {
            steps.run("build", &platforms(session.config), || {
                build::run(session, tools, target, source, &export)
            })
        },
        || steps.run("sbom", "", || export::sbom(session, source, &export)),
    )?;
    steps.run("smoke", &target.image.pinned(&built.digest), || {
        smoke::run(session, &tools.docker, target, source, &built.digest)
    })?;

    let provenance = build::provenance(session, target, source, &export, &built, &toolchain, &sbom)?;
    let scratch = crate::scratch::Scratch::new()?;
    let attest = |predicate_type, name: &str, bytes: &[u8]| {
        let file = scratch.path().join(name);
        std::fs::write(&file, bytes)?;
        tools.cosign.attest(&target.key, predicate_type, &file, &target.image, &built.digest)
    };
    // Strictly one after the other: each rewrites a tag, and two at once lose one (facts/cosign.md §1.5).
    steps.run("sign", built.digest.as_str(), || {
        tools.cosign.sign(&target.key, source.tag.version(), &target.image, &built.digest)
    })?;
    steps.run("provenance", "", || attest(PROVENANCE_TYPE, "provenance.json", &provenance))?;
    steps.run("attest sbom", "", || attest(SBOM_TYPE, "sbom.cdx.json", &sbom))?;
    steps.run("verify", "as a stranger, with the commands of the page", || {
        prove::fresh(session, tools, target, source, &export, &built.digest, &provenance, &sbom)
    })?;
    Ok((built.digest, export))
}

pub(crate) fn tools<'a>(
    session: &Session<'a>,
    target: &Target,
    login: &'a DockerConfig,
    anonymous: &'a DockerConfig,
) -> Tools<'a> {
    let (runner, timeouts) = (session.runner, session.config.timeouts);
    let curl = crate::tool::curl::Curl::new(runner, timeouts.http());
    let client = |credentials| crate::registry::Client::new(curl.clone(), target.image.clone(), credentials);
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

/// The commands that anyone checks the image with, as the page prints them and as `verify` runs them.
#[must_use]
pub fn verify_commands(target: &Target, source: &Source, digest: &Digest) -> Vec<VerifyCommand> {
    let key = &target.public_key_name;
    vec![
        VerifyCommand::signature(key, source.tag.version(), &target.image, digest),
        VerifyCommand::attestation(key, "slsaprovenance1", &target.image, digest),
        VerifyCommand::attestation(key, SBOM_TYPE, &target.image, digest),
    ]
}

fn platforms(config: &Config) -> String {
    config.platforms.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// A version tag that is public and does not verify is somebody's: it is never overwritten.
fn conflict(target: &Target, tag: &Tag, digest: &Digest, error: anyhow::Error) -> anyhow::Error {
    if error.chain().any(<dyn std::error::Error>::is::<crate::interrupt::Interrupted>) {
        return error;
    }
    let image = target.image.tagged(tag);
    Refusal::new(format!(
        "`{image}` is public as `{digest}` and does not verify as this release: {error:#}\n\
         nothing was changed; find out who pushed it, then delete that version in the registry or release the next version"
    ))
    .into()
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

//! `cargo xtask verify`: the claims of one release, checked with read rights alone.

use anyhow::{Context as _, Result, ensure};
use serde::Serialize;

use crate::config::Config;
use crate::environment::Environment;
use crate::failure::{ExitCode, Verdicts};
use crate::inputs::Inputs;
use crate::progress::Steps;
use crate::reference::Digest;
use crate::release::command::{Secrets, with_secrets};
use crate::release::source::Source;
use crate::release::{self, Release, Session, build};
use crate::tool::Runner;
use crate::tool::docker::DockerConfig;
use crate::tool::git::Git;

use super::claim::{Claim, Verdict};

/// What is checked besides, and how it is printed.
pub struct Options {
    /// Build the commit again and compare digests.
    pub rebuild: bool,
    /// One JSON document instead of text.
    pub json: bool,
}

/// The `--json` document. `schema` changes when a field does; new claims are no change.
#[derive(Serialize)]
struct Report<'a> {
    schema: &'static str,
    tag: String,
    commit: &'a str,
    image: String,
    claims: &'a [Claim],
}

/// Verifies the release of `asked`, or of the tag at HEAD.
///
/// # Errors
/// [`Verdicts`] with exit code 1 when a claim is false, 4 when one could not be checked.
pub fn run(environment: &Environment, asked: Option<&str>, options: &Options) -> Result<()> {
    let runner = &Runner::new(environment);
    let here = std::env::current_dir().context("finding the current directory")?;
    let git = &Git::discover(runner, &here)?;
    let source = &Source::to_release(git, environment, asked)?;
    let config = &Config::of_commit(git, &source.commit)?;
    let inputs = &Inputs::of_commit(git, &source.commit)?;
    // Only what reads: a missing secret is nothing to a verifier.
    let target = &with_secrets(environment, runner, config, git, Secrets::read(environment, config)?)?;
    let steps = &Steps::new(environment)?;
    let session = &Session { runner, environment, git, config, steps };
    let (login, anonymous) =
        (DockerConfig::new(environment, target.login())?, DockerConfig::new(environment, None)?);
    let tools = &release::tools(session, target, &login, &anonymous);
    let release = &Release::new(session, tools, target, source, inputs);

    let tag = source.tag.registry_tag();
    let Some(digest) = tools
        .registry
        .digest_of(tag.as_str())
        .map_err(|error| Verdicts::new(ExitCode::Unchecked, format!("{error:#}")))?
    else {
        let text =
            format!("there is no `{}`: it was never released, or taken away", target.image.tagged(&tag));
        return Err(Verdicts::new(ExitCode::Failed, text).into());
    };
    let (image, public) =
        crate::progress::both(|| super::image(release, &digest), || super::public(release, &digest))?;
    let mut claims = [image, public].concat();
    claims.extend(options.rebuild.then(|| rebuilt(release, &digest)));
    print(release, &digest, &claims, options.json)?;
    conclude(&claims)
}

/// Whether the commit gives the same bytes here.
fn rebuilt(release: &Release<'_>, digest: &Digest) -> Claim {
    let built = build::rebuild(release).map_err(|error| format!("{error:#}"));
    Claim::judge("rebuild", &built, |built| {
        ensure!(built == digest, "the commit gives `{built}` here");
        Ok("the commit gives the same digest here".to_owned())
    })
}

#[expect(clippy::print_stdout, reason = "this is the command's data")]
fn print(release: &Release<'_>, digest: &Digest, claims: &[Claim], json: bool) -> Result<()> {
    let image = release.target.image.pinned(digest);
    if json {
        let commit = release.source.commit.as_str();
        let report =
            Report { schema: "carol-verify/1", tag: release.source.tag.to_string(), commit, image, claims };
        println!("{}", serde_json::to_string_pretty(&report).context("writing the report")?);
        return Ok(());
    }
    println!("{} at {}\n{image}\n", release.source.tag, release.source.commit);
    for claim in claims {
        let mark = match claim.verdict {
            Verdict::Holds => "ok   ",
            Verdict::Unchecked => "?    ",
            Verdict::False => "FALSE",
        };
        println!("{mark}  {:<20} {}", claim.id, claim.evidence);
    }
    Ok(())
}

fn conclude(claims: &[Claim]) -> Result<()> {
    let count = |verdict| claims.iter().filter(|claim| claim.verdict == verdict).count();
    match (count(Verdict::False), count(Verdict::Unchecked)) {
        (0, 0) => Ok(()),
        (0, unchecked) => {
            Err(Verdicts::new(ExitCode::Unchecked, format!("{unchecked} claims could not be checked")).into())
        }
        (wrong, _) => {
            Err(Verdicts::new(ExitCode::Failed, format!("{wrong} of {} claims are false", claims.len()))
                .into())
        }
    }
}

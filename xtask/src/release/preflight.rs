//! Step 2, preflight: every problem at once, each with its remedy, and nothing changed. A check that could not run is a
//! problem like any other.

use std::collections::BTreeMap;
use std::path::Path;
use std::thread;

use anyhow::{Context as _, Result, bail};
use nix::sys::statvfs::statvfs;

use crate::failure::Refusal;
use crate::reference::{Digest, Image};
use crate::refuse;
use crate::release::source::Source;
use crate::release::target::{PublicKey, Target};
use crate::release::{Session, Tools};
use crate::tool::cosign::Generation;

/// The exported commit, the build's metadata and the attestations must fit, with room to spare.
const SCRATCH_SPACE: u64 = 256 << 20;

/// The oldest buildx and engine that the recipe was tried with.
const OLDEST_BUILDX: (u64, u64) = (0, 13);
const OLDEST_ENGINE: (u64, u64) = (26, 0);

/// Why a release cannot begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What was looked at.
    pub check: &'static str,
    /// What was found, what was expected, and what to type next.
    pub text: String,
}

impl Problem {
    /// One problem of `check`.
    #[must_use]
    pub fn new(check: &'static str, text: impl Into<String>) -> Self {
        Self { check, text: text.into() }
    }
}

/// What preflight learned on the way, for the provenance.
pub struct Toolchain {
    /// Version by name of the tool.
    pub versions: BTreeMap<String, String>,
    /// When the release began, in seconds since 1970.
    pub started: u64,
}

/// A check gives the versions it saw and the problems it found.
type Found = (Vec<(&'static str, String)>, Vec<Problem>);

/// Checks run side by side.
type Check<'a> = Box<dyn Fn() -> Result<Found> + Send + Sync + 'a>;

/// Runs all checks side by side.
///
/// # Errors
/// A [`Refusal`] that lists every problem.
pub fn run(session: &Session<'_>, tools: &Tools<'_>, target: &Target, source: &Source) -> Result<Toolchain> {
    let started = crate::time::now()?;
    let checks: [(&'static str, Check<'_>); 7] = [
        ("docker", Box::new(|| docker(session, tools))),
        ("builder", Box::new(|| builder(session, tools))),
        ("cosign", Box::new(|| cosign(session, tools))),
        ("signing key", Box::new(|| key(session, tools, target, source))),
        ("registry", Box::new(|| registry(tools))),
        ("base image", Box::new(|| stand_in(target))),
        ("forge", Box::new(|| Ok((Vec::new(), target.forge.preflight(&source.tag, &source.commit)?)))),
    ];
    let results: Vec<(&'static str, Result<Found>)> = thread::scope(|scope| {
        let running: Vec<_> = checks.iter().map(|(name, check)| (*name, scope.spawn(check))).collect();
        let join = |(name, thread): (&'static str, thread::ScopedJoinHandle<'_, Result<Found>>)| {
            (name, thread.join().unwrap_or_else(|_panic| bail!("the check panicked")))
        };
        running.into_iter().map(join).collect()
    });
    crate::interrupt::check()?;
    let (mut versions, mut problems) = (BTreeMap::from([own_version(session)?]), Vec::new());
    for (name, result) in results {
        match result {
            Ok((seen, found)) => {
                versions.extend(seen.into_iter().map(|(tool, version)| (tool.to_owned(), version)));
                problems.extend(found);
            }
            Err(error) => problems.push(Problem::new(name, format!("{error:#}"))),
        }
    }
    if problems.is_empty() { Ok(Toolchain { versions, started }) } else { Err(refusal(&problems)) }
}

/// One refusal for all problems of a release.
#[must_use]
pub fn refusal(problems: &[Problem]) -> anyhow::Error {
    problems_found("the release cannot begin, and nothing was changed", problems)
}

/// One refusal for all `problems`, under a heading.
#[must_use]
pub fn problems_found(heading: &str, problems: &[Problem]) -> anyhow::Error {
    let lines: String =
        problems.iter().map(|problem| format!("\n- {}: {}", problem.check, problem.text)).collect();
    Refusal::new(format!("{heading}:{lines}")).into()
}

/// Whether there is room for the files of a release: asked before the first of them is written.
///
/// # Errors
/// A [`Refusal`] when there is not.
pub fn check_disk() -> Result<()> {
    let dir = std::env::temp_dir();
    let free = free_bytes(&dir)?;
    if free < SCRATCH_SPACE {
        refuse!(
            "`{}` has {} MiB free: a release needs {}; free some, or set `TMPDIR` to a directory on another disk",
            dir.display(),
            free >> 20,
            SCRATCH_SPACE >> 20
        );
    }
    Ok(())
}

fn free_bytes(dir: &Path) -> Result<u64> {
    let stat = statvfs(dir).with_context(|| format!("asking for the free space in `{}`", dir.display()))?;
    Ok(stat.blocks_available().saturating_mul(stat.fragment_size()))
}

fn own_version(session: &Session<'_>) -> Result<(String, String)> {
    let head = session.git.peel("HEAD")?.context("HEAD has no commit")?;
    Ok(("xtask".to_owned(), format!("{}+{}", env!("CARGO_PKG_VERSION"), head.short())))
}

fn docker(session: &Session<'_>, tools: &Tools<'_>) -> Result<Found> {
    const START: &str =
        "start it, for example with `systemctl start docker`, or set `DOCKER_HOST` to where it listens";
    let engine =
        tools.docker.version().with_context(|| format!("docker's engine does not answer; {START}"))?;
    let mut problems = Vec::new();
    if !at_least(&engine.server, OLDEST_ENGINE) {
        let text = format!(
            "the engine is {}: expected {}.{} or newer",
            engine.server, OLDEST_ENGINE.0, OLDEST_ENGINE.1
        );
        problems.push(Problem::new("docker", text));
    }
    if session.config.builder.is_empty() && !tools.docker.has_containerd_store()? {
        problems.push(Problem::new(
            "docker",
            "the engine does not keep images in containerd's store, so it cannot build for several platforms; \
             set `{\"features\": {\"containerd-snapshotter\": true}}` in `/etc/docker/daemon.json` and restart it, \
             or name a builder in `[workspace.metadata.release]`",
        ));
    }
    Ok((vec![("docker", engine.server)], problems))
}

fn builder(session: &Session<'_>, tools: &Tools<'_>) -> Result<Found> {
    let buildx = tools.docker.buildx_version()?;
    let builder = tools.docker.builder(&session.config.builder)?;
    let mut problems = Vec::new();
    if !at_least(&buildx, OLDEST_BUILDX) {
        let text = format!("buildx is {buildx}: expected {}.{} or newer", OLDEST_BUILDX.0, OLDEST_BUILDX.1);
        problems.push(Problem::new("builder", text));
    }
    let buildkit = format!("{} ({} driver)", builder.buildkit, builder.driver);
    Ok((vec![("docker-buildx", buildx), ("buildkit", buildkit)], problems))
}

fn cosign(session: &Session<'_>, tools: &Tools<'_>) -> Result<Found> {
    let generation = match tools.cosign.generation()? {
        Generation::Two => "2",
        Generation::Three => "3",
    };
    let pins = &session.config.cosign_digests;
    if pins.is_empty() {
        return Ok((vec![("cosign", generation.to_owned())], Vec::new()));
    }
    let digest = tools.cosign.program_digest(session.environment)?;
    let mut problems = Vec::new();
    if !pins.contains(&digest) {
        let text = format!(
            "the binary's digest is `{digest}`, which is not among `cosign-digests` in `Cargo.toml`; \
             install a pinned one, or add the digest after checking where the binary came from"
        );
        problems.push(Problem::new("cosign", text));
    }
    Ok((vec![("cosign", format!("{generation} ({digest})"))], problems))
}

/// The secret key must be the one whose public half the repository shows, at the released commit.
fn key(session: &Session<'_>, tools: &Tools<'_>, target: &Target, source: &Source) -> Result<Found> {
    let derived = tools.cosign.public_key(&target.key).context(
        "`COSIGN_PRIVATE_KEY` cannot be read with `COSIGN_PASSWORD`; set both secrets again, \
         the key as the whole PEM text with its line breaks",
    )?;
    let committed = match &target.public_key {
        PublicKey::OfTheCommit => session.git.file(&source.commit, "cosign.pub")?.with_context(|| {
            format!(
                "commit {} has no `cosign.pub`; make a key pair (docs/keys.md) and commit the public half",
                source.commit
            )
        })?,
        PublicKey::Below(dir) => {
            std::fs::read(dir.join(&target.public_key_name)).context("reading the public key")?
        }
    };
    let mut problems = Vec::new();
    if derived.trim().as_bytes() != committed.trim_ascii() {
        let show = |bytes: &[u8]| Digest::of(bytes.trim_ascii());
        let text = format!(
            "the key in `COSIGN_PRIVATE_KEY` has the public half `{}`, but `cosign.pub` at {} is `{}`; \
             set the secret that belongs to the committed key, or commit the new key and tag again",
            show(derived.as_bytes()),
            source.commit.short(),
            show(&committed)
        );
        problems.push(Problem::new("signing key", text));
    }
    Ok((Vec::new(), problems))
}

fn registry(tools: &Tools<'_>) -> Result<Found> {
    let image = tools.registry.image();
    tools.registry.check_push().with_context(|| {
        format!("cannot push to `{image}`; set `REGISTRY_USER` and `REGISTRY_TOKEN` to an account that may write packages there")
    })?;
    Ok((Vec::new(), Vec::new()))
}

/// A base image from elsewhere is for trying out: what is published for others must be made of what the Dockerfile says.
fn stand_in(target: &Target) -> Result<Found> {
    let Some(stand_in) = &target.stand_in else { return Ok((Vec::new(), Vec::new())) };
    let (name, digest) = stand_in.split_once('@').with_context(|| format!("`{stand_in}` names no digest"))?;
    digest.parse::<Digest>()?;
    let name = name.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')).map_or(name, |(name, _)| name);
    let from: Image = name.parse()?;
    let mut problems = Vec::new();
    if !target.image.registry.is_loopback() || !from.registry.is_loopback() {
        let text = format!(
            "`TESTBED_BASE_STAND_IN` is `{stand_in}`: a stand-in is allowed only between loopback registries; \
             unset it to release from the pinned base image"
        );
        problems.push(Problem::new("base image", text));
    }
    Ok((Vec::new(), problems))
}

/// Whether a version such as `26.1.5+dfsg1` or `0.13.1` is at least `(major, minor)`.
fn at_least(version: &str, wanted: (u64, u64)) -> bool {
    let mut numbers = version.split(|c: char| !c.is_ascii_digit()).map(str::parse::<u64>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) >= wanted,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{Problem, at_least, refusal};

    #[test]
    fn versions_are_compared_by_number() {
        for (version, enough) in
            [("26.1.5+dfsg1", true), ("26.0", true), ("25.9.9", false), ("100.0.0", true), ("x", false)]
        {
            assert_eq!(at_least(version, (26, 0)), enough, "{version}");
        }
        assert!(at_least("0.13.1", (0, 13)) && !at_least("0.9.0", (0, 13)));
    }

    #[test]
    fn all_problems_are_listed_in_one_refusal() {
        let error = refusal(&[Problem::new("docker", "a"), Problem::new("registry", "b")]);
        assert_eq!(crate::failure::exit_code(&error), 3);
        let text = error.to_string();
        assert!(text.contains("- docker: a") && text.contains("- registry: b"), "{text}");
    }
}

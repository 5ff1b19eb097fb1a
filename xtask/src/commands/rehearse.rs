//! `cargo xtask rehearse`: the release, step by step, with real parts that nobody else sees. Each rehearsal has its
//! own key and its own place in the registry, so it is never affected by what an earlier one left.

mod place;

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::evidence::provenance::{Invocation, REHEARSE, REHEARSE_WORK_TREE};
use crate::forge::directory::Directory;
use crate::inputs::PUBLIC_KEY;
use crate::inputs::config::Config;
use crate::inputs::source::{Purpose, Source};
use crate::inputs::stand_in::StandIn;
use crate::oci::keychain::Keychain;
use crate::process::Runner;
use crate::process::environment::Environment;
use crate::process::failure::refused;
use crate::process::progress::Steps;
use crate::process::secret::Secret;
use crate::process::stderr;
use crate::process::stdout;
use crate::process::temp_dir::{TempDir, random_hex};
use crate::release::target::Target;
use crate::release::{self, Outcome, Session, preflight};
use crate::tool::cosign::{Cosign, Program, SigningKey};
use crate::tool::docker::DockerConfig;
use crate::tool::git::Git;

use place::Place;

/// Where pages and the public key go, from the top of the repository.
pub(crate) const DIRECTORY: &str = "target/rehearsal";

/// Rehearses the release of `what`, or of the work tree. `registry` is the value of `--registry`.
///
/// # Errors
/// As the release itself.
pub fn run(
    environment: &Environment,
    what: Option<&str>,
    work_tree: bool,
    registry: Option<&str>,
) -> Result<()> {
    let checkout = Git::here(&Runner::new(environment))?;
    // This comes before anything is started: wrong arguments are reported without docker or a registry.
    let uncommitted = if work_tree { Some(checkout.work_tree()?) } else { None };
    let (git, source, command) = match &uncommitted {
        Some(made) => (made.git.clone(), Source::of_commit(&made.git, &made.commit)?, REHEARSE_WORK_TREE),
        None => (checkout.clone(), Source::for_rehearsal(&checkout, what, Purpose::Release)?, REHEARSE),
    };
    let config = Config::of_commit(&git, &source.commit)?;
    let place = &place::ensure(environment, git.root(), registry)?;
    let environment = &place.environment;
    let runner = &Runner::new(environment);
    let steps = Steps::new(environment)?;
    let of = if work_tree { ", the work tree" } else { "" };
    steps.line("rehearse", &format!("{} at {}{of}", source.tag, source.commit));
    if uncommitted.is_none() {
        tell_of_changes(&git, &source, &steps)?;
    }
    preflight::check_disk()?;

    let parent = git.root().join("target");
    fs::create_dir_all(&parent).with_context(|| format!("making `{}`", parent.display()))?;
    // A rehearsal that fails leaves the last good one unchanged.
    let staged = TempDir::within(&parent)?;
    let target = target(place, runner, &config, command, staged.path()).map_err(refused)?;
    let session = Session { runner, environment, git: &git, config: &config, steps: &steps };
    let outcome = release::run(&session, &target, &source)?;
    staged.persist(&git.root().join(DIRECTORY))?;
    report(&target, &source, &outcome, &steps, place.note)
}

/// Reports uncommitted changes: a changed file is easily mistaken for one that was rehearsed.
fn tell_of_changes(git: &Git, source: &Source, steps: &Steps) -> Result<()> {
    if git.peel("HEAD")?.as_ref() != Some(&source.commit) {
        return Ok(());
    }
    let files = match git.changed_files(&source.commit)? {
        0 => return Ok(()),
        1 => "1 file differs from HEAD and is".to_owned(),
        count => format!("{count} files differ from HEAD and are"),
    };
    steps.line("rehearse", &format!("{files} not in this rehearsal; use `--work-tree`"));
    Ok(())
}

fn target(place: &Place, runner: &Runner, config: &Config, command: &str, staged: &Path) -> Result<Target> {
    let name = config.repository.to_string().to_ascii_lowercase();
    let nonce = random_hex()?;
    let Place { environment, registry, remedy, .. } = place;
    let image = format!("{registry}/rehearsal-{}/{name}", &nonce[..12]).parse()?;
    let (key, public_key) = throwaway_key(environment, runner, config)?;
    fs::write(staged.join(PUBLIC_KEY), &public_key).context("keeping the rehearsal's public key")?;
    Ok(Target {
        image,
        keychain: Keychain::default(),
        key: Some(key),
        public_key: Some(public_key),
        public_key_name: format!("{DIRECTORY}/{PUBLIC_KEY}"),
        registry_remedy: remedy,
        is_throwaway: true,
        forge: Box::new(Directory::new(staged)),
        stand_ins: StandIn::of_environment(environment)?,
        cosign: "cosign".into(),
        invocation: Invocation::Local { command: command.to_owned(), nonce },
    })
}

/// Makes a key pair. The private half exists only in a private directory, which is removed before the first step.
fn throwaway_key(
    environment: &Environment,
    runner: &Runner,
    config: &Config,
) -> Result<(SigningKey, Vec<u8>)> {
    let scratch = TempDir::new()?;
    let docker_config = DockerConfig::new(environment, None)?;
    let program = Program::new(Path::new("cosign"), &config.cosign_digests, environment);
    let cosign = Cosign::new(runner, program, &docker_config, config.timeouts.cosign());
    let password = Secret::new(random_hex()?);
    let prefix = scratch.path().join("cosign");
    cosign.generate_key_pair(&prefix, &password).context("making the rehearsal's key pair")?;
    let private_key =
        fs::read_to_string(prefix.with_extension("key")).context("reading the rehearsal's private key")?;
    let public_key = fs::read(prefix.with_extension("pub")).context("reading the rehearsal's public key")?;
    Ok((SigningKey::new(Secret::new(private_key), password), public_key))
}

fn report(target: &Target, source: &Source, outcome: &Outcome, steps: &Steps, note: &str) -> Result<()> {
    stderr::line(format_args!("\n{}", steps.table()));
    let note = if note.is_empty() { String::new() } else { format!(" ({note})") };
    let commands: String = outcome.commands.iter().map(|command| format!("{command}\n")).collect();
    stdout::print(&format!(
        "rehearsed  {} at {}\nimage      {}\ndigest     {}\npage       {DIRECTORY}/{}.md\n\n\
         check it with these, from the top of the repository{note}:\n\n{commands}",
        source.tag,
        source.commit,
        target.image.tagged(&source.tag.registry_tag()),
        outcome.digest,
        source.tag
    ))
}

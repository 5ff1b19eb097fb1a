//! `cargo xtask resign`: adds the missing bundles to a release that was made before the tool stored them.

use anyhow::Result;

use crate::commands::release::with_secrets;
use crate::inputs::config::Config;
use crate::inputs::run::Run;
use crate::inputs::source::Source;
use crate::process::Runner;
use crate::process::environment::Environment;
use crate::process::failure::refused;
use crate::process::progress::Steps;
use crate::process::stdout;
use crate::release::secrets::Secrets;
use crate::release::{Session, preflight, resign};
use crate::tool::git::Git;

/// Adds the missing bundles to the release `asked`.
///
/// # Errors
/// As [`resign::run`]; exit code 2 or 3 when it cannot even begin.
pub fn run(environment: &Environment, asked: &str) -> Result<()> {
    let runner = &Runner::new(environment);
    let git = Git::here(runner)?;
    let own = Config::of_head(&git)?;
    let run = Run::of(environment, &own)?;
    let source = Source::to_read(&git, Some(asked))?;
    let steps = Steps::new(environment)?;
    let config = Config::of_commit(&git, &source.commit)?;
    let secrets = Secrets::to_release(environment, &own)?;
    let mut problems = secrets.problems.clone();
    problems.extend(secrets.check_hosts(environment, &own, &config).map_err(refused)?);
    if !problems.is_empty() {
        return Err(preflight::refusal(&problems));
    }
    let target = with_secrets(environment, runner, &config, &git, secrets, run.as_ref())?;
    let session = Session { runner, environment, git: &git, config: &config, steps: &steps };
    let done = resign::run(&session, &target, &source)?;
    let what = if done.changed { "bundles added" } else { "bundles were there, nothing was changed" };
    stdout::print(&format!("{what}: {}\nimage   {}\n", source.tag, target.image.pinned(&done.digest)))
}

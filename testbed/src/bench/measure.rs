//! What one process tree costs. The kernel adds up what all terminated descendants of a process used (getrusage(2),
//! `RUSAGE_CHILDREN`). The command therefore runs below a process of ours that has no other descendants.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;
use serde::{Deserialize, Serialize};
use xshell::cmd;
use xtask::process::Runner;
use xtask::process::environment::Environment;
use xtask::process::file::if_any;
use xtask::process::secret::Secret;

use crate::provision::text;

/// Enough for a cold build with all of its downloads.
const TIMEOUT: Duration = Duration::from_secs(30 * 60);

/// Variables that the contestants read, besides those that every child gets.
const PASSED_ON: [&str; 12] = [
    "BUILDX_CONFIG",
    "BUILD_FLAGS",
    "COSIGN_PASSWORD",
    "COSIGN_PRIVATE_KEY",
    "DOCKER_CONFIG",
    "FORGE",
    "FORGEJO_TOKEN",
    "FORGE_TOKEN",
    "REGISTRY_TOKEN",
    "REGISTRY_USER",
    "REPOSITORY",
    "TESTBED_BASE_STAND_IN",
];

/// The usage of a process tree.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Usage {
    /// Seconds from start to end.
    pub(super) wall: f64,
    /// Seconds of CPU time, user and system, of all its processes.
    pub(super) cpu: f64,
    /// Peak memory of its largest process, in KiB.
    pub(super) peak: i64,
}

/// A command to measure.
pub(super) struct Subject<'a> {
    /// Program and arguments.
    pub(super) words: &'a [&'a str],
    /// Where it runs.
    pub(super) dir: &'a Path,
    /// Variables that are not secret.
    pub(super) variables: &'a [(&'static str, String)],
    /// Variables that are secret.
    pub(super) secrets: &'a [(&'static str, Secret)],
}

/// Runs the command; returns its cost and its standard error.
pub(super) fn run(runner: &Runner, subject: &Subject<'_>, scratch: &Path) -> Result<(Usage, String)> {
    let own = std::env::current_exe().context("finding this program's own file")?;
    let (out, err) = (scratch.join("stdout"), scratch.join("stderr"));
    // Truncating the output of the previous command takes time, which must not count for this command.
    for file in [&out, &err] {
        if_any(fs::remove_file(file)).with_context(|| format!("removing `{}`", file.display()))?;
    }
    let (shell, words) = (runner.shell()?, subject.words);
    let (out, err) = (text(&out)?, text(&err)?);
    let mut call = runner.call(cmd!(shell, "{own} bench -- {out} {err} {words...}"));
    for (name, value) in subject.variables {
        call = call.env(name, value);
    }
    for (name, secret) in subject.secrets {
        call = call.secret_env(name, secret);
    }
    let answer = call.dir(subject.dir).timeout(TIMEOUT).read()?;
    let usage = serde_json::from_str(&answer).context("reading what a command used")?;
    let said = fs::read_to_string(err).with_context(|| format!("reading `{err}`"))?;
    Ok((usage, said))
}

/// The intermediate process: runs `words` (two files for the output, then the command) and prints what the command
/// used.
#[expect(clippy::print_stdout, reason = "this is what the parent process reads")]
pub(super) fn stand_between(environment: &Environment, words: &[String]) -> Result<()> {
    let (files, command) = words.split_at_checked(2).context("two files and a command are expected")?;
    ensure!(!command.is_empty(), "no command to measure");
    let runner = Runner::new(environment);
    let shell = runner.shell()?;
    // `$0` and `$1` are the files.
    let script = "out=$0 err=$1; shift; exec \"$@\" >\"$out\" 2>\"$err\"";
    let mut call = runner.call(cmd!(shell, "sh -c {script} {files...} {command...}")).timeout(TIMEOUT);
    for name in PASSED_ON {
        if let Some(value) = environment.secret(name)? {
            call = call.secret_env(name, &value);
        }
    }
    let started = Instant::now();
    let output = call.output()?;
    let wall = started.elapsed().as_secs_f64();
    if !output.status.success() {
        let said = fs::read_to_string(&files[1]).with_context(|| format!("reading `{}`", files[1]))?;
        return Err(output.failure().context(xtask::process::secret::redact(&said)));
    }
    let used = getrusage(UsageWho::RUSAGE_CHILDREN).context("reading what the command used")?;
    let micros = (used.user_time().num_microseconds() + used.system_time().num_microseconds()) as f64;
    let usage = Usage { wall, cpu: micros / 1e6, peak: used.max_rss() };
    println!("{}", serde_json::to_string(&usage).context("rendering what the command used")?);
    Ok(())
}

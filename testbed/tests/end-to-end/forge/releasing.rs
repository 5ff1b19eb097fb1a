//! Releases of a project, by the runner and by a person, including those that are refused and those that are
//! killed.

use std::time::Duration;

use anyhow::{Result, bail, ensure};
use nix::sys::signal::{Signal, kill};
use testbed::forge_client::{Run, State};

use super::project::{Project, Secrets};
use super::snapshot::Snapshot;
use crate::bad_input::REFUSED;
use crate::harness::run::{Finished, Xtask};
use crate::harness::{processes, read, wait_for};

/// The workflow that releases.
pub(super) const WORKFLOW: &str = "release.yml";

/// The time for a run that waits for another one, on a machine where nothing is compiled yet.
const RUN: Duration = Duration::from_secs(15 * 60);

/// How many lines of a red run's log an error shows.
const TAIL: usize = 80;

impl Project {
    /// `xtask` as a person runs it, with everything that a release needs in the environment.
    pub(crate) fn laptop(&self, arguments: &[&str]) -> Xtask<'_> {
        let Secrets { private_key, password, registry_token, forge_token } = &self.secrets;
        Xtask::new(&self.checkout, arguments)
            .env("COSIGN_PRIVATE_KEY", private_key.expose())
            .env("COSIGN_PASSWORD", password.expose())
            .env("REGISTRY_TOKEN", registry_token.expose())
            .env("FORGEJO_TOKEN", forge_token.expose())
    }

    /// Like [`Project::ensure_refused`], for a person with the right secrets.
    pub(crate) fn refused(&self, arguments: &[&str], words: &[&str]) -> Result<String> {
        self.ensure_refused(self.laptop(arguments), words)
    }

    /// Runs `xtask`, which must refuse, say `words` and change nothing. Returns its standard error.
    pub(crate) fn ensure_refused(&self, run: Xtask<'_>, words: &[&str]) -> Result<String> {
        let before = Snapshot::of(self)?;
        let Finished { code, stdout, stderr, .. } = run.run()?;
        ensure!(code == REFUSED, "exit code {code}, expected {REFUSED}:\n{stdout}{stderr}");
        let message = stderr.split_once("xtask: ").map_or("", |(_, message)| message);
        for word in words {
            ensure!(message.contains(word), "the message does not say `{word}`:\n{stderr}");
        }
        ensure!(stdout.is_empty(), "standard output is for results:\n{stdout}");
        let after = Snapshot::of(self)?;
        ensure!(after == before, "it was {before:#?}\nand is {after:#?}");
        self.checkout.ensure_nothing_is_left()?;
        Ok(stderr)
    }

    /// Waits for the end of the release of `tag` on the runner, and returns it with its log.
    pub(super) fn wait_for_run(&self, tag: &str) -> Result<(Run, String)> {
        let run = self.repository.wait_for_run(tag, WORKFLOW, RUN)?;
        let log = self.repository.log(&run)?;
        Ok((run, log))
    }

    /// Like [`Project::wait_for_run`]. A run that is not green is an error with the end of its log.
    pub(super) fn wait_for_green_run(&self, tag: &str) -> Result<(Run, String)> {
        let (run, log) = self.wait_for_run(tag)?;
        if run.state != State::Success {
            let lines: Vec<_> = log.lines().collect();
            let tail = lines[lines.len().saturating_sub(TAIL)..].join("\n");
            bail!(
                "run {} for `{tag}` in `{}` is {:?}:\n{tail}",
                run.number,
                self.repository.url(),
                run.state
            );
        }
        Ok((run, log))
    }

    /// Ends what a killed release left running: processes, then containers, then networks.
    pub(super) fn clean_up(&self) -> Result<()> {
        wait_for("the end of what the release started", || {
            let left = processes::of(&self.checkout)?;
            for process in &left {
                // An error means that it has just ended on its own.
                kill(process.pid, Signal::SIGKILL).ok();
            }
            Ok(left.is_empty().then_some(()))
        })?;
        for (name, _state) in self.checkout.containers()? {
            read("docker", &["rm", "--force", "--volumes", &name])?;
        }
        for name in self.checkout.networks()? {
            read("docker", &["network", "rm", "--force", &name])?;
        }
        Ok(())
    }
}

//! One run of `xtask` in a lane: started, waited for, read.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use xshell::cmd;

use super::project::Project;
use crate::provision::text;

/// No release takes so long, not even one that is disturbed.
const PATIENCE: Duration = Duration::from_secs(240);

/// Between two looks.
const INTERVAL: Duration = Duration::from_millis(5);

/// What is run.
pub(super) struct Command<'a> {
    pub(super) project: &'a Project,
    pub(super) xtask: &'a Path,
    /// Of `xtask`.
    pub(super) arguments: &'a [&'a str],
    /// The clone.
    pub(super) dir: &'a Path,
    /// Where its files go: `tmp/`, which becomes its `TMPDIR`, and what it says.
    pub(super) files: &'a Path,
    /// The shims, if its calls count.
    pub(super) shims: Option<&'a Path>,
    /// Whether it gets the secrets.
    pub(super) is_trusted: bool,
}

/// A run that may still be going on; what is left of it is killed with the value.
pub(super) struct Running {
    pid: Pid,
    files: PathBuf,
    began: Instant,
    status: Option<i32>,
}

/// How a run ended.
pub(super) struct Finished {
    /// The exit code; negative for a signal.
    pub(super) code: i32,
    pub(super) stdout: String,
    pub(super) stderr: String,
    pub(super) took: Duration,
}

impl Command<'_> {
    /// Where its temporary files go.
    pub(super) fn tmp(&self) -> PathBuf {
        self.files.join("tmp")
    }

    /// Starts it. The shell gives way to `xtask`, so that the process is `xtask`'s own.
    pub(super) fn start(&self) -> Result<Running> {
        let tmp = self.tmp();
        fs::create_dir_all(&tmp).with_context(|| format!("making `{}`", tmp.display()))?;
        let (shell, xtask, arguments) = (self.project.runner.shell()?, self.xtask, self.arguments);
        let (out, err) = (self.files.join("stdout"), self.files.join("stderr"));
        let script = "out=$0 err=$1; shift; exec \"$@\" >\"$out\" 2>\"$err\"";
        let call = cmd!(shell, "sh -c {script} {out} {err} {xtask} {arguments...}");
        let call = self.project.runner.call(call).dir(self.dir).env("TMPDIR", &tmp);
        let call =
            if self.is_trusted { self.project.trusted(call)? } else { self.project.untrusted(call)? };
        let path = self.project.environment.get("PATH")?.context("reading `PATH`: it is not set")?;
        let call = match self.shims {
            Some(shims) => call.env("PATH", format!("{}:{path}", text(shims)?)),
            None => call,
        };
        let began = Instant::now();
        let pid = call.detach(&self.files.join("shell"))?;
        let pid = Pid::from_raw(i32::try_from(pid).context("a process id beyond 2^31")?);
        Ok(Running { pid, files: self.files.to_owned(), began, status: None })
    }

    /// Starts it and waits for its end.
    pub(super) fn run(&self) -> Result<Finished> {
        self.start()?.wait()
    }
}

impl Running {
    /// Waits for its end; one that does not come is an error.
    pub(super) fn wait(mut self) -> Result<Finished> {
        let code = loop {
            self.status = match waitpid(self.pid, Some(WaitPidFlag::WNOHANG)).context("waiting for xtask")? {
                WaitStatus::Exited(_, code) => Some(code),
                WaitStatus::Signaled(_, signal, _) => Some(-(signal as i32)),
                _ => None,
            };
            if let Some(code) = self.status {
                break code;
            }
            if self.began.elapsed() > PATIENCE {
                bail!(
                    "xtask did not end within {} s; it said:\n{}",
                    PATIENCE.as_secs(),
                    self.read("stderr")?
                );
            }
            xtask::interrupt::check()?;
            thread::sleep(INTERVAL);
        };
        let took = self.began.elapsed();
        Ok(Finished { code, stdout: self.read("stdout")?, stderr: self.read("stderr")?, took })
    }

    fn read(&self, name: &str) -> Result<String> {
        let path = self.files.join(name);
        if !path.exists() {
            return Ok(String::new());
        }
        let bytes = fs::read(&path).with_context(|| format!("reading `{}`", path.display()))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.status.is_none() {
            // Nobody waits for it any more; an error means that it has just ended.
            killpg(self.pid, Signal::SIGKILL).ok();
            waitpid(self.pid, None).ok();
        }
    }
}

impl Finished {
    /// A line of the summary on standard output, such as `digest`.
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        let mut lines = self.stdout.lines().filter_map(|line| line.split_once(' '));
        lines.find(|(key, _)| *key == name).map(|(_, value)| value.trim())
    }

    /// The exit code and the last words, for a report.
    pub(super) fn last_words(&self) -> String {
        let lines: Vec<_> = self.stderr.trim().lines().collect();
        let last = lines[lines.len().saturating_sub(6)..].join(" / ");
        format!("exit {}: {}", self.code, last)
    }
}

//! A run of `xtask` as a separate process. Its output goes to files. It can be watched, sent signals and waited
//! for, and its output is read after it has ended. The caller chooses its environment.

mod finished;

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use nix::sys::signal::{Signal, kill, killpg};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use xtask::process::Call;
use xtask::process::interrupt;

use crate::provision::text;

pub use finished::Finished;

/// A shell makes its background jobs ignore SIGINT, and `xtask` leaves an ignored signal as it is.
const DEFAULT: &str = "/usr/bin/env --default-signal=HUP,INT,TERM";

/// The polling interval.
const INTERVAL: Duration = Duration::from_millis(2);

/// Longer than any run takes, even a disturbed one on a loaded machine.
const TIMEOUT: Duration = Duration::from_secs(600);

/// The time that a run has to end after SIGTERM: it stops its children and removes their containers.
const GRACE: Duration = Duration::from_secs(10);

/// The files for a run's output.
pub struct Output {
    stdout: PathBuf,
    stderr: PathBuf,
    /// The output of the shell that becomes the program.
    shell: PathBuf,
}

/// A run that may not have ended yet. When the value is dropped, the run gets SIGTERM, because only it knows its
/// children, which are in process groups of their own. If it does not end, it is killed.
pub struct Running {
    pid: Pid,
    output: Output,
    began: Instant,
    limit: Duration,
    status: Option<i32>,
}

impl Output {
    /// Files in `dir`. `name` tells them apart from those of another run there.
    #[must_use]
    pub fn new(dir: &Path, name: &str) -> Self {
        let file = |stream: &str| dir.join(format!("{stream}{name}"));
        Self { stdout: file("stdout"), stderr: file("stderr"), shell: file("shell") }
    }

    /// The arguments for `sh`, which then becomes `program`, so that the process is the program's own. `before` has
    /// shell commands that run first. `within` is a program that becomes `program`, such as `unshare --net`.
    ///
    /// # Errors
    /// When a path is not UTF-8.
    pub fn shell_arguments(
        &self,
        before: &str,
        within: &str,
        program: &Path,
        arguments: &[&str],
    ) -> Result<Vec<String>> {
        let script = format!(
            "out=$1 err=$2; shift 2; exec >\"$out\" 2>\"$err\"; {before} && exec {within} {DEFAULT} \"$@\""
        );
        let mut words = vec!["-c".to_owned(), script, "sh".to_owned()];
        for path in [&*self.stdout, &*self.stderr, program] {
            words.push(text(path)?.to_owned());
        }
        words.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        Ok(words)
    }

    /// Starts `call`, which must run `sh` with [`Output::shell_arguments`].
    ///
    /// # Errors
    /// When it does not start, or the files cannot be made.
    pub fn start(self, call: Call) -> Result<Running> {
        // A first read of the files must not find the output of an earlier run.
        for path in [&self.stdout, &self.stderr] {
            fs::write(path, "").with_context(|| format!("making `{}`", path.display()))?;
        }
        let began = Instant::now();
        let pid = call.detach(&self.shell)?;
        let pid = Pid::from_raw(i32::try_from(pid).context("a process id beyond 2^31")?);
        Ok(Running { pid, output: self, began, limit: TIMEOUT, status: None })
    }
}

impl Running {
    /// Its process id, and that of its process group.
    #[must_use]
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// What it has written to standard error so far.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn said(&self) -> Result<String> {
        read(&self.output.stderr)
    }

    /// Sends a signal only to it, as a terminal does; its children are in their own process groups.
    ///
    /// # Errors
    /// When it has ended.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        kill(self.pid, signal).with_context(|| format!("sending {signal} to xtask"))
    }

    /// Its exit code, or the negative signal, if it has ended.
    ///
    /// # Errors
    /// When the system does not know it.
    pub fn poll(&mut self) -> Result<Option<i32>> {
        if self.status.is_none() {
            self.status = match waitpid(self.pid, Some(WaitPidFlag::WNOHANG)).context("waiting for xtask")? {
                WaitStatus::Exited(_, code) => Some(code),
                WaitStatus::Signaled(_, signal, _) => Some(-(signal as i32)),
                _ => None,
            };
        }
        Ok(self.status)
    }

    /// Whether it had ended at the last [`Running::poll`].
    #[must_use]
    pub fn ended(&self) -> bool {
        self.status.is_some()
    }

    /// Waits until `check` returns a value.
    ///
    /// # Errors
    /// When the run ends before that, or takes too long. Both errors show its output.
    pub fn until<T>(&mut self, what: &str, mut check: impl FnMut(&Self) -> Result<Option<T>>) -> Result<T> {
        loop {
            // Checks once more after the end of the run, because its last output may be what was waited for.
            let code = self.poll()?;
            if let Some(value) = check(self)? {
                return Ok(value);
            }
            if let Some(code) = code {
                bail!("xtask exited with {code} before {what}:\n{}", self.said()?);
            }
            self.pause(what)?;
        }
    }

    /// Waits until `step` has begun, and returns the output up to then.
    ///
    /// # Errors
    /// As [`Running::until`].
    pub fn until_step(&mut self, step: &str) -> Result<String> {
        self.until(&format!("step `{step}`"), |running| {
            let said = running.said()?;
            // Only whole lines count, because callers read the line of the step.
            let whole = said.rsplit_once('\n').map_or("", |(whole, _)| whole);
            let begun = whole.lines().any(|line| line.split_whitespace().nth(1) == Some(step));
            Ok(begun.then_some(said))
        })
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// When it does not end in time.
    pub fn wait(mut self) -> Result<Finished> {
        let code = loop {
            if let Some(code) = self.poll()? {
                break code;
            }
            self.pause("the end of xtask")?;
        };
        let took = self.began.elapsed();
        Ok(Finished { code, stdout: read(&self.output.stdout)?, stderr: self.said()?, took })
    }

    fn pause(&self, what: &str) -> Result<()> {
        interrupt::check()?;
        if self.began.elapsed() > self.limit {
            bail!("waited {} s for {what}; it said:\n{}", self.limit.as_secs(), self.said()?);
        }
        thread::sleep(INTERVAL);
        Ok(())
    }

    /// Ends it. An error of the calls in here means that it has just ended.
    fn end(&mut self, grace: Duration) {
        if self.status.is_some() {
            return;
        }
        kill(self.pid, Signal::SIGTERM).ok();
        let signalled = Instant::now();
        while matches!(self.poll(), Ok(None)) {
            if signalled.elapsed() > grace {
                killpg(self.pid, Signal::SIGKILL).ok();
                waitpid(self.pid, None).ok();
                self.status = Some(-(Signal::SIGKILL as i32));
                return;
            }
            thread::sleep(INTERVAL);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end(GRACE);
    }
}

fn read(path: &Path) -> Result<String> {
    let bytes = fs::read(path).with_context(|| format!("reading `{}`", path.display()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::{Output, Running, kill};
    use std::path::Path;
    use std::time::Duration;
    use xshell::cmd;
    use xtask::process::Runner;
    use xtask::process::environment::Environment;
    use xtask::process::temp_dir::TempDir;

    fn start(dir: &Path, script: &str) -> Running {
        let runner = Runner::new(&Environment::from_process());
        let output = Output::new(dir, "");
        let words = output.shell_arguments(":", "", Path::new("/bin/sh"), &["-c", script]).unwrap();
        let shell = runner.shell().unwrap();
        output.start(runner.call(cmd!(shell, "sh {words...}"))).unwrap()
    }

    #[test]
    fn the_exit_code_and_the_output_of_a_run_are_read_after_its_end() {
        let scratch = TempDir::new().unwrap();
        let script = "echo 'digest  sha256:x'; echo one >&2; echo two >&2; exit 3";
        let run = start(scratch.path(), script).wait().unwrap();
        assert_eq!((run.code, run.field("digest").unwrap()), (3, "sha256:x"));
        assert_eq!(run.last_words(), "exit 3: one / two");
        assert!(run.field("image").is_err() && run.digest().is_err() && run.released("sha256:x").is_err());
        let run = start(scratch.path(), "kill -9 $$").wait().unwrap();
        assert_eq!((run.code, &*run.stdout), (-9, ""), "the output of an earlier run is gone");
    }

    #[test]
    fn a_dropped_run_gets_sigterm_and_is_killed_only_if_it_does_not_end() {
        let scratch = TempDir::new().unwrap();
        let on_term = |then: &str| {
            let script = format!("trap '{then}' TERM; echo ready >&2; while :; do sleep 0.01; done");
            let mut running = start(scratch.path(), &script);
            running.until("the trap", |run| Ok((run.said()? == "ready\n").then_some(()))).unwrap();
            running
        };
        let trapped = scratch.path().join("trapped");
        drop(on_term(&format!("touch {}; exit", trapped.display())));
        assert!(trapped.exists());
        let mut deaf = on_term(":");
        deaf.end(Duration::from_millis(50));
        assert!(kill(deaf.pid, None).is_err(), "it still runs");
    }

    #[test]
    fn a_step_counts_once_its_line_is_complete_and_an_earlier_end_is_an_error() {
        let scratch = TempDir::new().unwrap();
        let mut running = start(scratch.path(), "printf '1s build x\\n2s sign' >&2");
        assert!(running.until_step("build").unwrap().starts_with("1s build x\n"));
        let error = running.until_step("sign").unwrap_err().to_string();
        assert!(error.contains("exited with 0 before step `sign`"), "{error}");
        let mut endless = start(scratch.path(), "sleep 60");
        endless.limit = Duration::ZERO;
        let error = endless.wait().map(|run| run.code).unwrap_err();
        assert!(error.to_string().contains("waited 0 s"), "{error}");
    }
}

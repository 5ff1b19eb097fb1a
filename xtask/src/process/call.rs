//! One call of a program: its input and environment, its timeout, its retries, and what is kept of its output.

mod dialogue;
mod start;
mod stream;

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::AsFd as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};
use nix::sys::signal::Signal;

use super::output::Output;
use super::pipes::{Printed, Running, collect, collect_tail, feed, join};
use super::wait::{Watch, wait};
use super::{backoff, command_line};
use crate::process::interrupt::{self, Registration};
use crate::process::secret::{Secret, redact};

pub use dialogue::Dialogue;

/// The timeout when the caller sets none.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);

/// Larger than any answer that is parsed: a registry's manifest has at most 10 MiB (docs/facts.md#manifest-size), and
/// the SBOM of a large service a few.
const STDOUT_LIMIT: usize = 64 << 20;

/// How much of the end of a child's standard error an error shows. When a compiler fails in a build, another 6 KiB
/// follow the reason: npm's and node-gyp's reports, and then the build step again.
const STDERR_TAIL: usize = 8 << 10;

/// One call of a program, before it is made.
#[must_use = "a call does nothing until it is run"]
pub struct Call {
    /// The program's name, as it was given. `command` has its path.
    name: OsString,
    /// Whether the program was found.
    is_found: bool,
    command: Command,
    stdin: Option<Vec<u8>>,
    /// Where standard output goes when it is not kept in memory.
    stdout: Option<File>,
    timeout: Duration,
    hint: Option<&'static str>,
    after_interrupt: bool,
    may_be_repeated: bool,
}

impl Call {
    /// `command` starts its own process group, and its environment is complete except for variables that only this
    /// child gets.
    pub(super) fn new(name: OsString, command: Command, is_found: bool) -> Self {
        Self {
            name,
            is_found,
            command,
            stdin: None,
            stdout: None,
            timeout: DEFAULT_TIMEOUT,
            hint: None,
            after_interrupt: false,
            may_be_repeated: false,
        }
    }

    /// Bytes for standard input, which is closed after them. The default is `/dev/null`.
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = Some(bytes.into());
        self
    }

    /// One more variable in the child's environment.
    pub fn env(mut self, key: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(key, value);
        self
    }

    /// A secret that only this child gets.
    pub fn secret_env(self, key: &str, secret: &Secret) -> Self {
        self.env(key, secret.expose())
    }

    /// The child's working directory.
    pub fn dir(mut self, dir: &Path) -> Self {
        self.command.current_dir(dir);
        self
    }

    /// The timeout; the default is one minute.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// What the error advises when the program is not installed.
    pub fn install_hint(mut self, hint: &'static str) -> Self {
        self.hint = Some(hint);
        self
    }

    /// For cleanup: the call also runs after Ctrl-C.
    pub fn after_interrupt(mut self) -> Self {
        self.after_interrupt = true;
        self
    }

    /// For an idempotent call of a tool that queries a server and explains a failure only in prose. Any exit code but
    /// 0 may be transient, so the tool is retried up to three times within its timeout.
    pub fn repeatable(mut self) -> Self {
        self.may_be_repeated = true;
        self
    }

    /// Runs it; any exit code but 0 is an error.
    ///
    /// # Errors
    /// When it cannot start, fails or takes too long. The error names the command and shows the end of its standard
    /// error.
    pub fn run(self) -> Result<()> {
        self.output()?.success().map(|_| ())
    }

    /// As [`Call::run`], but ends the child when `watch` reports an error.
    ///
    /// # Errors
    /// As [`Call::run`], and the watch's own error, which is not retried.
    pub fn run_watched(self, watch: Option<&Watch<'_>>) -> Result<()> {
        self.output_watched(watch)?.success().map(|_| ())
    }

    /// Runs it and returns its standard output as text, without the final line break.
    ///
    /// # Errors
    /// As [`Call::run`], and when the output is not UTF-8.
    pub fn read(self) -> Result<String> {
        let output = self.output()?.success()?;
        let mut text = output.text()?;
        text.truncate(text.trim_end_matches(['\n', '\r']).len());
        Ok(text)
    }

    /// Runs it with its standard output in `file`, for more output than [`Call::output`] holds.
    ///
    /// # Errors
    /// As [`Call::run`].
    pub fn save(mut self, file: File) -> Result<()> {
        self.stdout = Some(file);
        self.run()
    }

    /// Runs it and leaves it to the caller to judge the exit status.
    ///
    /// # Errors
    /// When it cannot start, is ended by a signal, takes too long, or prints more than the limit, and when a process
    /// that it left behind keeps its standard output open, because the output may then be incomplete.
    pub fn output(self) -> Result<Output> {
        self.output_watched(None)
    }

    /// As [`Call::output`], but ends the child when `watch` reports an error.
    ///
    /// # Errors
    /// As [`Call::output`], and the watch's own error, which is not retried.
    pub fn output_watched(mut self, watch: Option<&Watch<'_>>) -> Result<Output> {
        let deadline = Instant::now() + self.timeout;
        let (mut tries, mut left) = (1, self.timeout);
        loop {
            let output = self.once(left, watch)?;
            if output.status.success() || !self.may_be_repeated || tries == backoff::MAX_ATTEMPTS {
                return Ok(output);
            }
            let pause = backoff::pause(tries, backoff::random()?);
            left = deadline.saturating_duration_since(Instant::now() + pause);
            if left.is_zero() {
                return Ok(output);
            }
            interrupt::pause(pause)?;
            tries += 1;
        }
    }

    fn once(&mut self, timeout: Duration, watch: Option<&Watch<'_>>) -> Result<Output> {
        self.command.stdin(if self.stdin.is_some() { Stdio::piped() } else { Stdio::null() });
        let stdout = self.stdout.as_ref().map(File::try_clone).transpose().context("sharing a file")?;
        self.command.stdout(stdout.map_or_else(Stdio::piped, Stdio::from)).stderr(Stdio::piped());
        let line = self.line();
        let mut child = self.spawn(&line)?;
        let _registration = self.register(&child)?;
        let group = group_of(&child)?;
        let (running, ended) = Running::new().context("making a pipe")?;
        let input = || self.stdin.clone().unwrap_or_default();
        let feeder = child.stdin.take().map(|pipe| feed(pipe, input(), ended.clone()));
        let stdout = child.stdout.take().map(|pipe| collect(Printed::new(pipe, &ended), STDOUT_LIMIT, group));
        let stderr = child.stderr.take().map(|pipe| collect_tail(Printed::new(pipe, &ended), STDERR_TAIL));
        let status = wait(child, group, timeout, watch, &line);
        // Processes that the child left behind in its group still hold the pipes.
        interrupt::end(group, Signal::SIGKILL);
        drop(running);
        let stdout = join(stdout).with_context(|| format!("reading what `{line}` printed"));
        let stderr = join(stderr)?;
        join(feeder).with_context(|| format!("writing to the standard input of `{line}`"))?;
        // A timeout is reported first, because incomplete output is only its consequence.
        let status = status?;
        let output = Output { status, stdout: stdout?, stderr: stderr.text(), command_line: line };
        if self.stdout.is_some() && stderr.is_open && output.status.success() {
            bail!("`{}` left a process behind that may still be writing its output", output.command_line);
        }
        interrupt::check().or_else(|stopped| if self.after_interrupt { Ok(()) } else { Err(stopped) })?;
        Ok(output)
    }

    /// Runs it with both output streams on this process's standard error, for long work that reports to a person.
    ///
    /// # Errors
    /// As [`Call::run`].
    pub fn inherit(mut self) -> Result<()> {
        let line = self.line();
        let stdout = io::stderr().as_fd().try_clone_to_owned().context("sharing standard error")?;
        self.command.stdin(Stdio::null()).stdout(stdout).stderr(Stdio::inherit());
        let child = self.spawn(&line)?;
        let _registration = self.register(&child)?;
        let group = group_of(&child)?;
        let status = wait(child, group, self.timeout, None, &line);
        // As in `once`: processes that the child left behind would keep running and hold this process's streams.
        interrupt::end(group, Signal::SIGKILL);
        let status = status?;
        interrupt::check()?;
        Output { status, stdout: Vec::new(), stderr: String::new(), command_line: line }.success().map(|_| ())
    }

    /// Starts it in the background with its output in `log`, and returns its process id. It outlives this process.
    ///
    /// # Errors
    /// When it cannot start or `log` cannot be written.
    pub fn detach(mut self, log: &Path) -> Result<u32> {
        let line = self.line();
        let file = File::options().create(true).append(true).open(log);
        let file = file.with_context(|| format!("opening the log `{}` for `{line}`", log.display()))?;
        let copy = file.try_clone().with_context(|| format!("sharing the log `{}`", log.display()))?;
        self.command.stdin(Stdio::null()).stdout(file).stderr(copy);
        Ok(self.spawn(&line)?.id())
    }

    /// The redacted command line, ready to paste into a shell.
    #[must_use]
    pub fn line(&self) -> String {
        redact(&command_line::quoted(&self.name, self.command.get_args()))
    }

    fn spawn(&mut self, line: &str) -> Result<Child> {
        if !self.after_interrupt {
            interrupt::check()?;
        }
        // A child would also search the directories of the PATH that are relative to its own.
        let started =
            if self.is_found { start::start(&mut self.command) } else { Err(io::ErrorKind::NotFound.into()) };
        started.map_err(|error| {
            let program = self.name.to_string_lossy().into_owned();
            let missing_dir = self.command.get_current_dir().filter(|dir| !dir.is_dir());
            match (error.kind(), missing_dir, self.hint) {
                (_, Some(dir), _) => {
                    anyhow!("running `{line}`: its directory `{}` does not exist", dir.display())
                }
                (io::ErrorKind::NotFound, None, Some(hint)) => {
                    anyhow!("`{program}` is not installed; {hint}")
                }
                (io::ErrorKind::NotFound, None, None) => {
                    anyhow!("`{program}` is not on the PATH; install it")
                }
                _ => anyhow!(error).context(format!("starting `{line}`")),
            }
        })
    }

    /// Adds the child to the list of process groups that are ended after a signal. A signal that arrived between
    /// start and registration is noticed here.
    fn register(&self, child: &Child) -> Result<Option<Registration>> {
        if self.after_interrupt {
            return Ok(None);
        }
        let group = group_of(child)?;
        let registration = Registration::new(group);
        if interrupt::check().is_err() {
            interrupt::end(group, Signal::SIGTERM);
        }
        Ok(Some(registration))
    }
}

fn group_of(child: &Child) -> Result<i32> {
    i32::try_from(child.id()).context("a process id beyond 2^31")
}

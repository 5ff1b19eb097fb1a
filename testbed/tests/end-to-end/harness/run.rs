//! `xtask` itself as a process: started in a clone, watched, sent signals, and read when it has ended.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use nix::sys::signal::{Signal, kill, killpg};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use xtask::reference::Digest;

use super::checkout::{Checkout, text};
use super::{call, environment, wait_for};

/// A build of everything, on a machine that builds images beside it.
const COLD: Duration = Duration::from_secs(600);

/// A run of `xtask` that is not started yet.
#[must_use = "it does nothing until it is started"]
pub(crate) struct Xtask<'a> {
    checkout: &'a Checkout,
    arguments: Vec<String>,
    variables: Vec<(String, String)>,
    before: &'a str,
    within: &'a str,
    name: &'a str,
}

/// A run that may still be going on; what is left of it is killed with the value.
pub(crate) struct Running {
    pid: Pid,
    stdout: PathBuf,
    stderr: PathBuf,
    status: Option<i32>,
}

/// How a run ended.
pub(crate) struct Finished {
    /// The exit code; negative for a signal.
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl<'a> Xtask<'a> {
    pub(crate) fn new(checkout: &'a Checkout, arguments: &[&str]) -> Self {
        let arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        Self { checkout, arguments, variables: Vec::new(), before: ":", within: "", name: "" }
    }

    /// A variable over those of the tests.
    pub(crate) fn env(mut self, key: &str, value: impl Into<String>) -> Self {
        self.variables.push((key.to_owned(), value.into()));
        self
    }

    /// Tells it from another run that goes on in the same clone.
    pub(crate) fn named(mut self, name: &'a str) -> Self {
        self.name = name;
        self
    }

    /// Shell commands in the process that becomes `xtask`.
    pub(crate) fn before(mut self, commands: &'a str) -> Self {
        self.before = commands;
        self
    }

    /// A program in whose place `xtask` then runs, such as `unshare --net`.
    pub(crate) fn within(mut self, words: &'a str) -> Self {
        self.within = words;
        self
    }

    /// Starts it. The shell gives way to `xtask`, so that the process is `xtask`'s own.
    pub(crate) fn start(self) -> Result<Running> {
        let file = |stream: &str| self.checkout.beside(&format!("{stream}{}", self.name));
        let (stdout, stderr) = (file("stdout"), file("stderr"));
        let script = format!(
            "out=$1 err=$2; shift 2; exec >\"$out\" 2>\"$err\"; {} && exec {} \"$@\"",
            self.before, self.within
        );
        let mut words = vec!["-c", &script, "sh", text(&stdout)?, text(&stderr)?, text(program()?)?];
        words.extend(self.arguments.iter().map(String::as_str));
        let mut call = call("sh", &words)?.dir(self.checkout.top()).env("TMPDIR", self.checkout.tmp());
        for (key, value) in environment().testbed()? {
            call = call.env(key, value);
        }
        for (key, value) in &self.variables {
            call = call.env(key, value);
        }
        // A first look at the files must not find those of an earlier run.
        fs::write(&stdout, "").and_then(|()| fs::write(&stderr, "")).context("making the output files")?;
        let pid = call.detach(&file("shell"))?;
        let pid = Pid::from_raw(i32::try_from(pid).context("a process id beyond 2^31")?);
        Ok(Running { pid, stdout, stderr, status: None })
    }

    /// Starts it and waits for its end.
    pub(crate) fn run(self) -> Result<Finished> {
        self.start()?.wait()
    }
}

impl Running {
    pub(crate) fn pid(&self) -> Pid {
        self.pid
    }

    /// What it has said so far.
    pub(crate) fn said(&self) -> Result<String> {
        fs::read_to_string(&self.stderr).context("reading its standard error")
    }

    /// Sends a signal to `xtask` alone, as a terminal does: its children are in process groups of their own.
    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        kill(self.pid, signal).with_context(|| format!("sending {signal} to xtask"))
    }

    /// Whether it has ended.
    pub(crate) fn poll(&mut self) -> Result<Option<i32>> {
        if self.status.is_none() {
            self.status = match waitpid(self.pid, Some(WaitPidFlag::WNOHANG)).context("waiting for xtask")? {
                WaitStatus::Exited(_, code) => Some(code),
                WaitStatus::Signaled(_, signal, _) => Some(-(signal as i32)),
                _ => None,
            };
        }
        Ok(self.status)
    }

    /// Waits until `ask` has an answer; an end before that is an error.
    pub(crate) fn until<T>(
        &mut self,
        what: &str,
        mut ask: impl FnMut(&Self) -> Result<Option<T>>,
    ) -> Result<T> {
        wait_for(what, || {
            if let Some(code) = self.poll()? {
                bail!("xtask exited with {code} before {what}:\n{}", self.said()?);
            }
            ask(self)
        })
    }

    /// Waits until `step` has begun, and returns what it has said by then.
    pub(crate) fn until_step(&mut self, step: &str) -> Result<String> {
        self.until(&format!("step `{step}`"), |running| {
            let said = running.said()?;
            // Whole lines alone: callers read the step's own.
            let whole = said.rsplit_once('\n').map_or("", |(whole, _)| whole);
            let begun = whole.lines().any(|line| line.split_whitespace().nth(1) == Some(step));
            Ok(begun.then_some(said))
        })
    }

    pub(crate) fn wait(mut self) -> Result<Finished> {
        let code = wait_for("the end of xtask", || self.poll())
            .with_context(|| format!("its last words:\n{}", self.said().unwrap_or_default()))?;
        let stdout = fs::read_to_string(&self.stdout).context("reading its standard output")?;
        Ok(Finished { code, stdout, stderr: self.said()? })
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
    /// The run, if it ended well.
    pub(crate) fn success(self) -> Result<Self> {
        ensure!(self.code == 0, "xtask exited with {}:\n{}{}", self.code, self.stdout, self.stderr);
        Ok(self)
    }

    /// A line of the summary on standard output, such as `digest`.
    pub(crate) fn field(&self, name: &str) -> Result<&str> {
        let mut lines = self.stdout.lines().filter_map(|line| line.split_once(' '));
        let value = lines.find(|(key, _)| *key == name).map(|(_, value)| value.trim());
        value.with_context(|| format!("standard output has no line `{name}`:\n{}", self.stdout))
    }

    /// The image's digest.
    pub(crate) fn digest(&self) -> Result<Digest> {
        self.field("digest")?.parse()
    }

    /// The image by its digest.
    pub(crate) fn pinned(&self) -> Result<String> {
        let tagged = self.field("image")?;
        let (name, _tag) = tagged.rsplit_once(':').with_context(|| format!("`{tagged}` has no tag"))?;
        Ok(format!("{name}@{}", self.digest()?))
    }

    /// The commands at the end of standard output, as a person selects them to paste.
    pub(crate) fn commands(&self) -> Result<&str> {
        let last = self.stdout.rsplit_once("\n\n").map(|(_, commands)| commands);
        last.with_context(|| format!("standard output ends in no block of its own:\n{}", self.stdout))
    }
}

/// The `xtask` of this build, brought up to date once: a stale one would be tested in its place.
pub(crate) fn program() -> Result<&'static Path> {
    static PROGRAM: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let built = PROGRAM.get_or_init(|| build().map_err(|error| format!("{error:#}")));
    built.as_deref().map_err(|error| anyhow!("building xtask: {error}"))
}

/// `xtask` with a feature, in a target directory of its own below that of the tests.
pub(crate) fn program_with(feature: &str) -> Result<PathBuf> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join(feature);
    let words = ["build", "--quiet", "--locked", "--package=xtask", "--bin=xtask", "--features", feature];
    let arguments = [&words[..], &["--target-dir", text(&target)?]].concat();
    call("cargo", &arguments)?.dir(Path::new(env!("CARGO_MANIFEST_DIR"))).timeout(COLD).run()?;
    Ok(target.join("debug/xtask"))
}

fn build() -> Result<PathBuf> {
    // `<target>/<profile>/deps/end_to_end-…`
    let test = std::env::current_exe().context("finding the test's own executable")?;
    let output = test.ancestors().nth(2).context("the test's executable is in no target directory")?;
    let target = output.parent().context("the test's executable is in no target directory")?;
    let mut arguments = vec!["build", "--quiet", "--locked", "--package=xtask", "--bin=xtask"];
    arguments.extend(["--target-dir", text(target)?]);
    arguments.extend((output.file_name() == Some(OsStr::new("release"))).then_some("--release"));
    call("cargo", &arguments)?.dir(Path::new(env!("CARGO_MANIFEST_DIR"))).run()?;
    Ok(output.join("xtask"))
}

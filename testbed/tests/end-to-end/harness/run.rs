//! `xtask` itself, started in a clone with the environment of the tests.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use testbed::run::Output;

use super::checkout::{Checkout, text};
use super::{call, environment};

pub(crate) use testbed::run::{Finished, Running};

/// The time for a complete build, on a machine that also builds images.
const COLD: Duration = Duration::from_secs(600);

/// A run of `xtask` that has not started yet.
#[must_use = "it does nothing until it is started"]
pub(crate) struct Xtask<'a> {
    checkout: &'a Checkout,
    arguments: Vec<String>,
    variables: Vec<(String, String)>,
    before: &'a str,
    within: &'a str,
}

impl<'a> Xtask<'a> {
    pub(crate) fn new(checkout: &'a Checkout, arguments: &[&str]) -> Self {
        let arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        Self { checkout, arguments, variables: Vec::new(), before: ":", within: "" }
    }

    /// Sets a variable in addition to those of the tests.
    pub(crate) fn env(mut self, key: &str, value: impl Into<String>) -> Self {
        self.variables.push((key.to_owned(), value.into()));
        self
    }

    /// Shell commands that run first in the process that becomes `xtask`.
    pub(crate) fn before(mut self, commands: &'a str) -> Self {
        self.before = commands;
        self
    }

    /// A program that becomes `xtask`, such as `unshare --net`.
    pub(crate) fn within(mut self, words: &'a str) -> Self {
        self.within = words;
        self
    }

    /// Starts it.
    pub(crate) fn start(self) -> Result<Running> {
        // Another run may be going on in the same clone.
        static STARTED: AtomicUsize = AtomicUsize::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let beside = self.checkout.tmp().parent().context("a clone without a directory")?;
        let output = Output::new(beside, &format!("-{number}"));
        let arguments: Vec<_> = self.arguments.iter().map(String::as_str).collect();
        let words = output.shell_arguments(self.before, self.within, program()?, &arguments)?;
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        let mut call = call("sh", &words)?.dir(self.checkout.top()).env("TMPDIR", self.checkout.tmp());
        for (key, value) in environment().testbed()? {
            call = call.env(key, value);
        }
        for (key, value) in &self.variables {
            call = call.env(key, value);
        }
        output.start(call)
    }

    /// Starts it and waits for its end.
    pub(crate) fn run(self) -> Result<Finished> {
        self.start()?.wait()
    }
}

/// The `xtask` beside these tests, rebuilt once so that no stale program is tested.
pub(crate) fn program() -> Result<&'static Path> {
    static PROGRAM: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let built = PROGRAM.get_or_init(|| build().map_err(|error| format!("{error:#}")));
    built.as_deref().map_err(|error| anyhow!("building xtask: {error}"))
}

/// `xtask` with a feature, in its own target directory below that of the tests.
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
    call("cargo", &arguments)?.dir(Path::new(env!("CARGO_MANIFEST_DIR"))).timeout(COLD).run()?;
    Ok(output.join("xtask"))
}

//! The programs that run in a lane: `xtask` in its clone, with or without the shims and the secrets.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use xshell::cmd;

use crate::project::Project;
use crate::provision::text;
use crate::run::{Finished, Output, Running};

/// A command to run.
pub(super) struct Command<'a> {
    pub(super) project: &'a Project,
    pub(super) xtask: &'a Path,
    /// The arguments of `xtask`.
    pub(super) arguments: &'a [&'a str],
    /// The clone.
    pub(super) dir: &'a Path,
    /// The directory for its files: `tmp/`, which becomes its `TMPDIR`, and its output.
    pub(super) files: &'a Path,
    /// The shims, if its calls are recorded.
    pub(super) shims: Option<&'a Path>,
    /// Whether it gets the secrets.
    pub(super) is_trusted: bool,
}

impl Command<'_> {
    /// Where its temporary files go.
    pub(super) fn tmp(&self) -> PathBuf {
        self.files.join("tmp")
    }

    /// Starts it.
    pub(super) fn start(&self) -> Result<Running> {
        let tmp = self.tmp();
        fs::create_dir_all(&tmp).with_context(|| format!("making `{}`", tmp.display()))?;
        let output = Output::new(self.files, "");
        let words = output.shell_arguments(":", "", self.xtask, self.arguments)?;
        let shell = self.project.runner.shell()?;
        let call = self.project.runner.call(cmd!(shell, "sh {words...}"));
        let call = call.dir(self.dir).env("TMPDIR", &tmp);
        let call =
            if self.is_trusted { self.project.trusted(call)? } else { self.project.untrusted(call)? };
        let path = self.project.environment.get("PATH")?.context("reading `PATH`: it is not set")?;
        output.start(match self.shims {
            Some(shims) => call.env("PATH", format!("{}:{path}", text(shims)?)),
            None => call,
        })
    }

    /// Starts it and waits for its end.
    pub(super) fn run(&self) -> Result<Finished> {
        self.start()?.wait()
    }
}

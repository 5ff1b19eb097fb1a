//! A lane: one project with a proxy and shims, on which cases are tried one after the other, and the record of its
//! undisturbed release. Lanes know nothing of each other.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, ensure};
use xtask::process::environment::Environment;

use super::case::{Kind, Target};
use super::choice::numbered;
use super::label;
use super::plan::{Plan, Strike, read_calls};
use super::run::Command;
use super::state::{Made, State};
use crate::bench::of_xtask;
use crate::committed::{PLATFORMS, one_platform};
use crate::project::Project;
use crate::proxy::{Exchange, Log};

/// The tag that is released in every case.
pub(super) const TAG: &str = "v0.1.0";

/// At least twenty times as long as a release takes on an idle machine.
const SLOW: Duration = Duration::from_secs(120);

/// Short, so that a hang ends soon, but longer than anything takes on a loaded machine.
const TIMEOUTS: &str =
    "\n[workspace.metadata.release.timeouts]\nbuild = 40\npull = 15\ncosign = 10\nhttp = 4\n";

/// `Cargo.toml` as it is committed for a lane.
fn configured(manifest: &str) -> Result<String> {
    ensure!(!manifest.contains("[workspace.metadata.release.timeouts]"), "`Cargo.toml` has timeouts already");
    ensure!(manifest.contains(PLATFORMS), "`Cargo.toml` has other platforms");
    Ok(manifest.replace(PLATFORMS, &one_platform()) + TIMEOUTS)
}

/// Copies of the programs under test, which may be rebuilt while a long matrix runs.
pub(super) struct Programs {
    pub(super) xtask: PathBuf,
    pub(super) testbed: PathBuf,
}

/// What every trial works with.
pub(super) struct Lane {
    pub(super) dir: PathBuf,
    pub(super) project: Project,
    pub(super) xtask: PathBuf,
    shims: PathBuf,
    names: Vec<(String, String)>,
    runs: Cell<usize>,
}

/// The undisturbed release.
pub(super) struct Baseline {
    pub(super) made: Made,
    /// Each call and request with its step, in order.
    pub(super) targets: Vec<(String, Target)>,
    /// How long each call took, in microseconds.
    pub(super) micros: BTreeMap<Target, u64>,
    /// How long the release took.
    pub(super) took: Duration,
}

impl Programs {
    /// Copies them to `dir`.
    pub(super) fn copy(dir: &Path, xtask: &Path, testbed: &Path) -> Result<Self> {
        let copy = |from: &Path, name: &str| {
            let to = dir.join(name);
            fs::copy(from, &to).with_context(|| format!("copying `{}`", from.display()))?;
            Ok::<_, anyhow::Error>(to)
        };
        Ok(Self { xtask: copy(xtask, "xtask")?, testbed: copy(testbed, "testbed")? })
    }
}

impl Lane {
    /// Makes the project, with `tags`, and the shims.
    pub(super) fn new(
        environment: &Environment,
        dir: &Path,
        programs: &Programs,
        tags: &[&str],
    ) -> Result<Self> {
        let shims = dir.join("shims");
        fs::create_dir_all(&shims).with_context(|| format!("making `{}`", shims.display()))?;
        Plan::install(&shims, &programs.testbed, environment)?;
        let project = Project::new(environment, dir, tags, configured)?;
        let names = project.names(dir)?;
        let (dir, xtask) = (dir.to_owned(), programs.xtask.clone());
        Ok(Self { dir, project, xtask, shims, names, runs: Cell::new(0) })
    }

    /// A directory for the files of one more run.
    pub(super) fn files(&self) -> Result<PathBuf> {
        self.runs.set(self.runs.get() + 1);
        let files = self.dir.join("runs").join(self.runs.get().to_string());
        fs::create_dir_all(&files).with_context(|| format!("making `{}`", files.display()))?;
        Ok(files)
    }

    /// `xtask` in the clone, with its calls recorded.
    pub(super) fn command<'a>(&'a self, arguments: &'a [&'a str], files: &'a Path) -> Command<'a> {
        let (project, xtask, dir) = (&self.project, &*self.xtask, &*self.project.checkout);
        Command { project, xtask, arguments, dir, files, shims: Some(&self.shims), is_trusted: true }
    }

    /// Gives the shims the plan for the next run; returns the log of its calls.
    pub(super) fn plan(&self, files: &Path, measures: bool, strike: Option<Strike>) -> Result<PathBuf> {
        let log = files.join("calls");
        let (xtask, names) = (self.xtask.clone(), self.names.clone());
        Plan { xtask, names, log: log.clone(), measures, strike }.write(&self.shims)?;
        Ok(log)
    }

    /// The label of a request.
    pub(super) fn label(&self, method: &str, path: &str) -> String {
        label::of_request(method, path, &self.names)
    }

    /// The names of the project, for a rule that outlives this borrow of the lane.
    pub(super) fn names(&self) -> Vec<(String, String)> {
        self.names.clone()
    }

    /// An undisturbed release of `tag` on an empty project.
    pub(super) fn release(&self, tag: &str) -> Result<Made> {
        self.project.reset()?;
        let files = self.files()?;
        self.plan(&files, false, None)?;
        self.project.proxy.pass();
        let run = self.command(&["release", tag], &files).run()?;
        ensure!(run.code == 0, "the undisturbed release of {tag}: {}", run.last_words());
        State::of(&self.project.repository)?.into_made(tag)
    }

    /// Makes an undisturbed release and measures it. The release `warm` came before it and filled the caches of builder
    /// and engine, as in every case.
    pub(super) fn baseline(&self, warm: &Made) -> Result<Baseline> {
        self.project.reset()?;
        let files = self.files()?;
        let log = self.plan(&files, true, None)?;
        drop(self.project.proxy.take());
        let began = SystemTime::now();
        let run = self.command(&["release", TAG], &files).run()?;
        ensure!(run.code == 0, "the undisturbed release of {TAG}: {}", run.last_words());
        ensure!(run.took < SLOW, "the undisturbed release took {} s", run.took.as_secs());
        let requests = self.project.proxy.take();
        let made = State::of(&self.project.repository)?.into_made(TAG)?;
        ensure!(made.digest == warm.digest, "two undisturbed releases of {TAG} differ");
        let began = began.duration_since(UNIX_EPOCH).context("reading the clock")?;
        let calls = read_calls(&log)?;
        let of_calls = numbered(Kind::Call, calls.iter().map(|call| call.label.clone()));
        let mut micros = BTreeMap::new();
        for (target, call) in of_calls.iter().zip(&calls) {
            let took = call.took.with_context(|| format!("`{}` has no end", call.label))?;
            micros.insert(target.clone(), u64::try_from(took.as_micros()).context("too long a call")?);
        }
        let mut all: Vec<_> = calls.iter().map(|call| call.at).zip(of_calls).collect();
        all.extend(self.requests(&requests)?);
        all.sort();
        let steps = of_xtask(&run.stderr);
        ensure!(steps.len() > 10, "the release printed only {} steps", steps.len());
        let step = |at: Duration| {
            let seconds = at.saturating_sub(began).as_secs_f64();
            let last = steps.iter().rfind(|step| step.start <= seconds);
            last.map_or("release", |step| &*step.name).to_owned()
        };
        let targets = all.into_iter().map(|(at, target)| (step(at), target)).collect();
        Ok(Baseline { made, targets, micros, took: run.took })
    }

    /// Requests with the time since 1970 at which they arrived.
    fn requests(&self, log: &Log) -> Result<Vec<(Duration, Target)>> {
        let label = |one: &Exchange| self.label(&one.request.method, &one.request.path);
        let targets = numbered(Kind::Request, log.exchanges.iter().map(label));
        let timed = log.exchanges.iter().zip(targets).map(|(one, target)| {
            let at = one.at.duration_since(UNIX_EPOCH).context("reading the clock")?;
            Ok((at, target))
        });
        timed.collect()
    }

    /// Removes what the lane left on this machine. What it made on the forge stays, as with every test.
    pub(super) fn clean_up(&self) -> Result<()> {
        self.project.remove_containers()?;
        self.project.remove_images()
    }
}

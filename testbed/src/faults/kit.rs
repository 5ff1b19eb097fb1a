//! The kit: lanes that are set up, and the cases that run on them side by side.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use anyhow::{Context as _, Result, anyhow};
use xtask::process::environment::Environment;
use xtask::process::temp_dir::TempDir;

use super::case::{Case, Target};
use super::choice;
use super::lane::{Baseline, Lane, Programs, TAG};
use super::trial::{self, Outcome};
use crate::progress::Progress;

/// Lanes with their undisturbed releases.
pub struct Kit {
    lanes: Vec<(Mutex<Lane>, Baseline)>,
    /// Holds the lanes' files, unless they are in a directory that is kept.
    _scratch: Option<TempDir>,
}

impl Kit {
    /// Makes `lanes` projects on the forge of `environment`, which has the testbed's exports, and releases each
    /// undisturbed. `xtask` is the program under test, and `testbed` is this program.
    ///
    /// # Errors
    /// When a part of the testbed refuses, or the undisturbed release fails.
    pub fn set_up(environment: &Environment, xtask: &Path, testbed: &Path, lanes: usize) -> Result<Self> {
        let scratch = TempDir::new()?;
        let kit = Self::within(scratch.path(), environment, xtask, testbed, lanes)?;
        Ok(Self { _scratch: Some(scratch), ..kit })
    }

    /// Like [`Kit::set_up`], in the directory `parent`, which is kept.
    ///
    /// # Errors
    /// As [`Kit::set_up`].
    pub fn within(
        parent: &Path,
        environment: &Environment,
        xtask: &Path,
        testbed: &Path,
        lanes: usize,
    ) -> Result<Self> {
        let programs = Programs::copy(parent, xtask, testbed)?;
        // Only one lane measures at a time.
        let measuring = Mutex::new(());
        let make = |index: usize| {
            let dir = parent.join(format!("lane-{index}"));
            std::fs::create_dir(&dir).with_context(|| format!("making `{}`", dir.display()))?;
            let lane = Lane::new(environment, &dir, &programs, &[TAG])?;
            let baseline = lane.project.on_one_engine(|| {
                let warm = lane.release(TAG)?;
                let _turn = measuring.lock().unwrap_or_else(PoisonError::into_inner);
                lane.baseline(&warm)
            })?;
            Ok((Mutex::new(lane), baseline))
        };
        let lanes = in_parallel(0..lanes, make)?;
        Ok(Self { lanes, _scratch: None })
    }

    /// Every call and request of the undisturbed release with its step, in order.
    #[must_use]
    pub fn targets(&self) -> &[(String, Target)] {
        self.lanes.first().map_or(&[], |(_, baseline)| &*baseline.targets)
    }

    /// How long the undisturbed release took, in seconds.
    #[must_use]
    pub fn undisturbed(&self) -> f64 {
        self.lanes.first().map_or(0.0, |(_, baseline)| baseline.took.as_secs_f64())
    }

    /// Every call killed in three ways, and every request with each of the seven faults.
    #[must_use]
    pub fn matrix(&self) -> Vec<Case> {
        choice::matrix(self.targets())
    }

    /// `count` random cases, at least one from every step of the release.
    #[must_use]
    pub fn sample(&self, count: usize, seed: u64) -> Vec<Case> {
        choice::sample(self.targets(), count, seed)
    }

    /// Tries each of `cases` on any free lane, and passes each outcome to `done` as it comes. A case that could not
    /// be tried in two attempts is a violation. No case starts after `until`.
    ///
    /// # Errors
    /// When `done` fails, or after a signal.
    pub fn try_all(
        &self,
        cases: &[Case],
        seed: u64,
        until: Option<Instant>,
        done: impl FnMut(Outcome) -> Result<()> + Send,
    ) -> Result<()> {
        let open = Mutex::new(cases.iter().collect::<VecDeque<_>>());
        let done = Mutex::new(done);
        let work = |lane: &Mutex<Lane>, baseline: &Baseline| {
            while until.is_none_or(|until| Instant::now() < until) {
                // This lock lets other users of this kit take turns with these cases.
                let lane = lane.lock().unwrap_or_else(PoisonError::into_inner);
                let Some(case) = open.lock().unwrap_or_else(PoisonError::into_inner).pop_front() else {
                    break;
                };
                xtask::process::interrupt::check()?;
                let tried = trial::run(&lane, baseline, case, seed).or_else(|error| {
                    xtask::process::interrupt::check()?;
                    eprintln!("testbed: {case}: {error:#}; trying again");
                    trial::run(&lane, baseline, case, seed)
                });
                xtask::process::interrupt::check()?;
                // A check that could not be made has failed. The other cases are still tried.
                let outcome = tried.unwrap_or_else(|error| Outcome::not_tried(case, &error));
                done.lock().unwrap_or_else(PoisonError::into_inner)(outcome)?;
            }
            Ok(())
        };
        in_parallel(&self.lanes, |(lane, baseline)| work(lane, baseline)).map(|_| ())
    }

    /// The write requests that `xtask release` sends for a finished release. An exit code other than 0 is an error.
    ///
    /// # Errors
    /// When a part of the testbed refuses, or a run fails.
    pub fn writes_of_a_finished_release(&self) -> Result<Vec<String>> {
        let (lane, _) = self.lanes.first().context("no lane")?;
        let lane = lane.lock().unwrap_or_else(PoisonError::into_inner);
        lane.release(TAG)?;
        let files = lane.files()?;
        lane.plan(&files, false, None)?;
        drop(lane.project.proxy.take());
        let run = lane.command(&["release", TAG], &files).run()?;
        anyhow::ensure!(run.code == 0, "releasing again: {}", run.last_words());
        let log = lane.project.proxy.take();
        anyhow::ensure!(!log.exchanges.is_empty(), "the proxy saw no request of the second run");
        let name = |one: &&crate::proxy::Exchange| lane.label(&one.request.method, &one.request.path);
        Ok(log.writes().iter().map(name).collect())
    }

    /// Removes what the lanes left in the engine.
    ///
    /// # Errors
    /// When docker fails.
    pub fn clean_up(&self) -> Result<()> {
        for (lane, _) in &self.lanes {
            lane.lock().unwrap_or_else(PoisonError::into_inner).clean_up()?;
        }
        Ok(())
    }
}

/// Does `work` for all lanes at once.
fn in_parallel<L: Send, T: Send>(
    lanes: impl IntoIterator<Item = L>,
    work: impl Fn(L) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    thread::scope(|scope| {
        let work = &work;
        let lanes: Vec<_> = lanes.into_iter().map(|lane| scope.spawn(move || work(lane))).collect();
        lanes.into_iter().map(|lane| lane.join().map_err(|_panic| anyhow!("a lane panicked"))?).collect()
    })
}

/// Prints one line per case and, for a bad one, the command that repeats it.
pub(super) fn print(progress: &Progress, number: usize, all: usize, outcome: &Outcome, seed: u64) {
    let Outcome { case, instead, met, first, seconds, violations, .. } = outcome;
    let instead = instead.as_ref().map(|other| format!(", in its place `{other}`")).unwrap_or_default();
    let how = match (violations.is_empty(), met) {
        (false, _) => "VIOLATION",
        (true, true) => "ok",
        (true, false) => "not met",
    };
    progress
        .line("faults", &format!("{number}/{all} {how}, {seconds:.1} s, first run {first}: {case}{instead}"));
    for violation in violations {
        eprintln!("    {violation}");
    }
    if !violations.is_empty() {
        let name = tried(outcome).replace('\'', r"'\''");
        eprintln!("    again: cargo testbed faults --seed {seed} --case '{name}'");
    }
}

/// The case that was tried in the end.
fn tried(outcome: &Outcome) -> &str {
    outcome.instead.as_deref().unwrap_or(&outcome.case)
}

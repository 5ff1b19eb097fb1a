//! One release by the runner that several tests look at, and the same release once more from a laptop. libtest has
//! no teardown, so the clone stays below the target directory, and the next run replaces it.

use std::fs::File;
use std::io::Write as _;
use std::sync::OnceLock;
use std::time::Instant;

use anyhow::{Context as _, Result, anyhow, ensure};
use nix::fcntl::Flock;
use testbed::forge_client::Run;
use testbed::watcher::Report;

use super::project::Project;
use super::releasing::WORKFLOW;
use super::snapshot::Snapshot;
use crate::harness::run::Finished;
use crate::harness::shared::lasting_directory;

/// The tag that is released.
pub(crate) const TAG: &str = "v0.1.0";

/// What remains of the release.
pub(crate) struct Released {
    pub(crate) project: Project,
    pub(super) run: Run,
    /// The state after the runner was done.
    pub(super) after: Snapshot,
    /// The result of a later `xtask release`, and the state after it.
    pub(super) again: (Finished, Snapshot),
    /// Held until the process ends, so that a second run of the tests waits for the clone.
    _lock: Flock<File>,
}

/// The release. The first test that needs it makes it.
pub(crate) fn released() -> Result<&'static Released> {
    static RELEASED: OnceLock<Result<Released, String>> = OnceLock::new();
    let made = RELEASED.get_or_init(|| make().map_err(|error| format!("{error:#}")));
    made.as_ref().map_err(|error| anyhow!("the release that this test looks at: {error}"))
}

fn make() -> Result<Released> {
    let (parent, lock) = lasting_directory("forge")?;
    let project = Project::within(&parent)?.pushed()?;
    project.switch_workflows_on()?;
    let watcher = project.watch()?;
    let pushed = Instant::now();
    project.push_tag(TAG)?;
    let (run, log) = project.wait_for_green_run(TAG)?;
    let report = watcher.finish(&[TAG])?;
    let runs = project.repository.runs()?;
    ensure!(runs.iter().all(|run| run.workflow == WORKFLOW), "CI was started inside of CI: {runs:?}");
    ensure!(runs.len() == 1, "one tag, one run: {runs:?}");
    print_times(&report, &log, pushed)?;

    let after = Snapshot::of(&project)?;
    let again = project.laptop(&["release", TAG]).run()?.success()?;
    let again = (again, Snapshot::of(&project)?);
    Ok(Released { project, run, after, again, _lock: lock })
}

/// A separate release by the runner, with one commit since the previous tag.
pub(crate) fn with_one_commit() -> Result<Project> {
    let project = Project::for_both_platforms()?;
    project.push_tag("v0.0.9")?;
    let commit = project.commit("feat: what is new")?;
    project.push_main()?;
    project.set_status(&commit, testbed::forge_client::State::Success)?;
    project.switch_workflows_on()?;
    project.push_tag(TAG)?;
    project.wait_for_green_run(TAG)?;
    Ok(project)
}

/// Prints past libtest, which hides the output of a test that passes. docs/benchmarks.md has these numbers.
fn print_times(report: &Report, log: &str, pushed: Instant) -> Result<()> {
    let seconds = |name: &str| {
        let first = report.first.get(name).with_context(|| format!("`{name}` was not seen"))?;
        Ok::<_, anyhow::Error>((*first - pushed).as_secs_f64())
    };
    let mut out = std::io::stderr();
    writeln!(
        out,
        "\nfrom `git push --tags` to the page, by the runner: {:.1} s",
        seconds(&format!("page {TAG}"))?
    )?;
    writeln!(out, "  `{TAG}` in the registry {:.1} s, `latest` {:.1} s", seconds(TAG)?, seconds("latest")?)?;
    let (looks, gap) = (report.looks, report.longest_gap.as_millis());
    writeln!(out, "  {looks} looks at the registry, at most {gap} ms apart; the steps of the run:")?;
    for row in steps(log) {
        writeln!(out, "{row}")?;
    }
    Ok(())
}

/// The table of durations at the end of a release, from a log with a time stamp before each line.
fn steps(log: &str) -> Vec<&str> {
    let lines = log.lines().filter_map(|line| line.split_once(' ').map(|(_stamp, text)| text));
    let is_row = |line: &&str| {
        let last = line.split_whitespace().next_back().and_then(|last| last.strip_suffix('s'));
        line.starts_with("  ") && last.is_some_and(|seconds| seconds.parse::<f64>().is_ok())
    };
    lines.filter(is_row).collect()
}

//! The trial of one case: a disturbed release, the same command again, and a check that everything is as if nothing had
//! happened.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use xtask::oci::reference::Tag;

use super::case::{Case, Kind};
use super::label;
use super::lane::{Baseline, Lane, TAG};
use super::plan::{Action, Strike, read_calls};
use super::state::State;
use super::watch::Watch;
use crate::process::{poll, with_variable};
use crate::provision::text;
use crate::proxy::Fault;
use crate::run::Finished;
use crate::watcher::Report;

/// How long processes of a finished run may take to end. No signal is sent to docker's plugins, and nobody waits for
/// them.
const GONE: Duration = Duration::from_secs(1);

/// The beginning of the violation for a case without a result.
const NOT_TRIED: &str = "it could not be tried";

/// The result of a case.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Outcome {
    /// The case's name.
    pub case: String,
    /// The case that was tried in its place, because its own call or request was not made.
    pub instead: Option<String>,
    /// Whether the call or request was made and disturbed.
    pub met: bool,
    /// How the disturbed run ended: the exit code, negative for a signal.
    pub first: i32,
    /// How long both runs and all checks took.
    pub seconds: f64,
    /// What was wrong.
    pub violations: Vec<String>,
    /// How closely the public state was watched.
    #[serde(default)]
    pub looks: Looks,
    /// The commit of the `xtask` under test; empty if it is not known.
    #[serde(default)]
    pub commit: String,
}

/// Anonymous polling of what is public, while something could change.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Looks {
    /// The number of polls.
    pub count: usize,
    /// The seconds that they span.
    pub seconds: f64,
    /// The longest time between two polls, in seconds.
    pub longest: f64,
}

impl Outcome {
    /// Whether the case has a result.
    pub(super) fn was_tried(&self) -> bool {
        !self.violations.iter().any(|text| text.starts_with(NOT_TRIED))
    }

    /// The outcome of a case without a result.
    pub(super) fn not_tried(case: &Case, error: &anyhow::Error) -> Self {
        let violations = vec![format!("{NOT_TRIED}: {error:#}")];
        Self {
            case: case.to_string(),
            instead: None,
            met: false,
            first: 0,
            seconds: 0.0,
            violations,
            looks: Looks::default(),
            commit: String::new(),
        }
    }
}

impl Looks {
    fn of(report: &Report) -> Self {
        let (seconds, longest) = (report.watched.as_secs_f64(), report.longest_gap.as_secs_f64());
        Self { count: report.looks, seconds, longest }
    }
}

/// Tries `case`. If its call or request is not made, tries another one with the same label.
pub(super) fn run(lane: &Lane, baseline: &Baseline, case: &Case, seed: u64) -> Result<Outcome> {
    let first = try_once(lane, baseline, case, seed)?;
    if first.met {
        return Ok(first);
    }
    let other = case.elsewhere();
    let mut again = try_once(lane, baseline, &other, seed)?;
    again.instead = Some(std::mem::replace(&mut again.case, first.case));
    again.seconds += first.seconds;
    again.violations.extend(first.violations);
    Ok(again)
}

fn try_once(lane: &Lane, baseline: &Baseline, case: &Case, seed: u64) -> Result<Outcome> {
    lane.project.on_one_engine(|| try_on_engine(lane, baseline, case, seed))
}

fn try_on_engine(lane: &Lane, baseline: &Baseline, case: &Case, seed: u64) -> Result<Outcome> {
    let began = Instant::now();
    let project = &lane.project;
    project.reset()?;
    let watch = Watch::start(project)?;
    let micros = baseline.micros.get(&case.target).copied().unwrap_or_default();
    let action = (case.target.kind == Kind::Call).then(|| case.action(seed, micros)).flatten();
    let one = lane.files()?;
    let (first, met) = disturbed(lane, case, action, &one)?;
    let mut violations = judge_first(lane, case, &first, met)?;
    // A tool that was left running goes on during the second run. Everything else is ended, as when the machine goes
    // down.
    let goes_on = matches!(action, Some(Action::KillMiddle { alone: true, .. }));
    if !goes_on {
        end(lane, &one)?;
    }

    let two = lane.files()?;
    // The shims disturb nothing now, and let the build use the cache.
    lane.plan(&two, false, None)?;
    let second = lane.command(&["release", TAG], &two).run()?;
    if let Err(error) = second.released(&baseline.made.digest) {
        violations.push(format!("the second run: {error:#}"));
    }
    violations.extend(left_of(&two)?);
    if goes_on {
        end(lane, &one)?;
    }
    let (report, seen) = watch.stop(&[&baseline.made])?;
    violations.extend(seen);
    violations.extend(State::of(&project.repository)?.faults(&[&baseline.made], &baseline.made));
    violations.extend(verify(lane, TAG)?);
    for files in [one, two] {
        fs::remove_dir_all(&files).with_context(|| format!("removing `{}`", files.display()))?;
    }
    let (case, seconds) = (case.to_string(), began.elapsed().as_secs_f64());
    let (first, looks) = (first.code, Looks::of(&report));
    Ok(Outcome { case, instead: None, met, first, seconds, violations, looks, commit: String::new() })
}

/// Makes the disturbed release. Returns also whether its call or request was made and disturbed.
fn disturbed(lane: &Lane, case: &Case, action: Option<Action>, files: &Path) -> Result<(Finished, bool)> {
    let (label, occurrence) = (case.target.label.clone(), case.target.occurrence);
    let met = Arc::new(AtomicBool::new(false));
    let strike = action.map(|action| Strike { label: label.clone(), occurrence, action });
    let log = lane.plan(files, false, strike)?;
    if case.target.kind == Kind::Request {
        let (names, injury, seen) = (lane.names(), case.injury, AtomicUsize::new(0));
        let met = Arc::clone(&met);
        lane.project.proxy.set_rule(move |request| {
            let is_it = label::of_request(&request.method, &request.path, &names) == label
                && seen.fetch_add(1, Ordering::SeqCst) + 1 == occurrence;
            if is_it {
                met.store(true, Ordering::SeqCst);
                injury.of_request()
            } else {
                Fault::Pass
            }
        });
    }
    let mut command = lane.command(&["release", TAG], files);
    if action.is_none() {
        command.shims = None;
    }
    let run = command.run();
    lane.project.proxy.pass();
    let struck = read_calls(&log)?.iter().any(|call| call.struck);
    Ok((run?, met.load(Ordering::SeqCst) || struck))
}

/// Checks how a disturbed release ended. It may be killed, succeed, fail, or refuse with nothing public.
fn judge_first(lane: &Lane, case: &Case, run: &Finished, met: bool) -> Result<Vec<String>> {
    let is_killed = case.target.kind == Kind::Call && case.injury.kills() && met;
    let mut violations = Vec::new();
    let public = || {
        Ok::<_, anyhow::Error>(lane.project.repository.registry().digest_of(&TAG.parse::<Tag>()?)?.is_some())
    };
    if !is_killed && run.code != 0 {
        violations.extend(untrue(run.code, &run.stderr, public()?));
    }
    match run.code {
        -9 if is_killed => {}
        0 | 1 | 75 if !is_killed => {}
        3 if !is_killed => {
            if public()? || !lane.project.repository.releases()?.is_empty() {
                violations
                    .push(format!("the first run refused, and something is public: {}", run.last_words()));
            }
        }
        _ => violations.push(format!("the first run: {}", run.last_words())),
    }
    Ok(violations)
}

/// What is untrue in the closing sentence of a release that failed with `code`, given whether the version tag is
/// `public`. It is also wrong if the sentence is missing, or says nothing about the version tag that is known here.
fn untrue(code: i32, stderr: &str, public: bool) -> Option<String> {
    if ![1, 75].contains(&code) {
        return None;
    }
    let Some(closing) = stderr.lines().rfind(|line| line.contains("run the same command again")) else {
        return Some(format!("exit {code} without a closing sentence: {stderr}"));
    };
    let says = |words: &str| closing.contains(words);
    let is_untrue = if says("this run pushed no version tag") {
        public
    } else if says("the version tag is public") || says("the version tag names an image that does not verify")
    {
        !public
    } else if says("the version tag is missing or names the verified image") {
        false
    } else {
        return Some(format!("`{closing}` says nothing about the version tag that is known here"));
    };
    is_untrue
        .then(|| format!("the version tag is {}public, and `{closing}`", if public { "" } else { "not " }))
}

/// Ends what the run with these files left running.
fn end(lane: &Lane, files: &Path) -> Result<()> {
    lane.project.end_processes(&files.join("tmp"))?;
    lane.project.remove_containers()
}

/// What an undisturbed run left on this machine.
pub(super) fn left_of(files: &Path) -> Result<Vec<String>> {
    let tmp = files.join("tmp");
    let mut left = Vec::new();
    for entry in fs::read_dir(&tmp).with_context(|| format!("listing `{}`", tmp.display()))? {
        left.push(format!("left in TMPDIR: `{}`", entry?.file_name().to_string_lossy()));
    }
    let variable = format!("TMPDIR={}", text(&tmp)?);
    if !poll(GONE, || Ok(with_variable(&variable)?.is_empty()))? {
        left.push("processes of the run are left".to_owned());
    }
    Ok(left)
}

/// The output of an anonymous `xtask verify`, if it does not exit with 0.
pub(super) fn verify(lane: &Lane, tag: &str) -> Result<Option<String>> {
    let files = lane.files()?;
    let arguments = ["verify", tag];
    let mut command = lane.command(&arguments, &files);
    (command.shims, command.is_trusted) = (None, false);
    let run = command.run()?;
    fs::remove_dir_all(&files).with_context(|| format!("removing `{}`", files.display()))?;
    Ok((run.code != 0).then(|| format!("verify: {} {}", run.last_words(), run.stdout)))
}

#[cfg(test)]
mod tests {
    use super::untrue;
    use anyhow::anyhow;
    use xtask::process::progress::Steps;
    use xtask::release::unfinished::next_run;

    /// What a release prints when it fails at `step`.
    fn failed(step: &str) -> String {
        let error = Steps::plain().run(step, "", || Err::<(), _>(anyhow!("no"))).unwrap_err();
        format!("xtask: step `{step}`: no\nxtask: {}\n", next_run(&error).unwrap())
    }

    #[test]
    fn the_closing_sentence_must_agree_with_what_is_public() {
        for (step, true_if_public, true_if_not) in
            [("smoke", false, true), ("tag", true, true), ("page", true, false), ("compare", true, false)]
        {
            for code in [1, 75] {
                assert_eq!(untrue(code, &failed(step), true).is_none(), true_if_public, "{step}");
                assert_eq!(untrue(code, &failed(step), false).is_none(), true_if_not, "{step}");
            }
        }
    }

    #[test]
    fn a_failure_without_a_known_closing_sentence_is_a_violation() {
        let other = "xtask: nobody knows; fix this, then run the same command again\n";
        for said in ["xtask: no\n", other] {
            assert!(untrue(1, said, true).is_some() && untrue(75, said, false).is_some(), "{said}");
            assert!(untrue(0, said, true).is_none() && untrue(3, said, false).is_none(), "{said}");
        }
    }
}

//! Step 2, preflight: reports every problem at once, each with its remedy, and changes nothing. A check that could not
//! run is a problem like any other.

mod bases;
pub(crate) mod checks;
mod ci;
mod gates;
mod keys;
mod reused;

use std::collections::BTreeMap;
use std::path::Path;
use std::thread;

use anyhow::{Context as _, Result};
use nix::sys::statvfs::statvfs;

use crate::evidence::provenance::ToolSource;
use crate::process::environment::temporary_directory;
use crate::process::failure::{Refusal, Transient};
use crate::process::parallel::{both, joined};
use crate::process::problem::Problem;
use crate::refuse;
use crate::release::Context;
use crate::tool::docker::BuilderVersion;

/// The exported commit, the build's metadata and the attestations must fit, with room to spare. The layers that the
/// step `contents` reads, two at a time, are not counted: their size is unknown before the build. If they do not fit,
/// that step reports it.
const SCRATCH_SPACE: u64 = 256 << 20;

/// What preflight found out that goes into the provenance.
pub struct Toolchain {
    /// The version of each tool, by the tool's name.
    pub versions: BTreeMap<String, String>,
    /// Where this program comes from.
    pub tool: ToolSource,
    /// When the release began, in seconds since 1970.
    pub started: u64,
}

impl Toolchain {
    /// Adds the builder. Its version is queried in parallel with the smoke test: without a builder, the build would
    /// have failed already.
    pub fn add_builder(&mut self, builder: &BuilderVersion) {
        let version = format!("{} ({} driver)", builder.buildkit, builder.driver);
        self.versions.insert("buildkit".to_owned(), version);
    }
}

/// What a check returns.
#[derive(Default)]
pub(crate) struct Found {
    /// The version of a tool, by the tool's name, or words for `doctor`, without a name.
    pub(crate) seen: Vec<(&'static str, String)>,
    /// What is wrong.
    pub(crate) problems: Vec<Problem>,
    /// The check was skipped because of a problem that another check reports; `seen` says why.
    pub(crate) not_asked: bool,
}

/// The result of a check that saw `words` and found `problems`.
pub(crate) fn observed(words: impl Into<String>, problems: impl IntoIterator<Item = Problem>) -> Found {
    Found { seen: vec![("", words.into())], ..problems.into_iter().collect() }
}

/// The result of a check that was skipped; `why` is what another check reports.
pub(crate) fn not_asked(why: impl Into<String>) -> Found {
    Found { not_asked: true, ..observed(why, []) }
}

impl FromIterator<Problem> for Found {
    fn from_iter<T: IntoIterator<Item = Problem>>(problems: T) -> Self {
        Self { problems: problems.into_iter().collect(), ..Self::default() }
    }
}

/// A check and its name.
pub(crate) type Check<'a> = (&'static str, Box<dyn Fn() -> Result<Found> + Send + Sync + 'a>);

/// Runs all checks in parallel.
///
/// # Errors
/// A [`Refusal`] that lists every problem; [`Transient`] if all of them are transient.
pub fn run(context: &Context<'_>) -> Result<Toolchain> {
    let Context { session, tools, target, release, .. } = context;
    let (source, inputs) = (release.source, release.inputs);
    let started = crate::process::time::now()?;
    let ci = ci::Gate::default();
    let mut checks = checks::of_machine(session, tools, target);
    checks.extend(checks::of_commit(session, tools, target, inputs));
    let forge = || Ok(target.forge.preflight(&source.tag, &source.commit)?.into_iter().collect());
    checks.push(("forge", Box::new(forge)));
    checks.extend(of_release(context, &ci));
    let (tool, results) = both(|| checks::own_source(session), || run_checks(&checks))?;
    let (mut versions, mut problems) = judge(results);
    versions.extend([checks::own_version(&tool)]);
    if problems.is_empty() {
        // Last, so that somebody who has to fix another problem learns of it without waiting for CI.
        problems.extend(ci.wait(session, target, source)?);
    }
    if problems.is_empty() { Ok(Toolchain { versions, tool, started }) } else { Err(refusal(&problems)) }
}

/// The checks of a release that do not depend on the machine or the account that makes it.
fn of_release<'a>(context: &'a Context<'a>, ci: &'a ci::Gate) -> [Check<'a>; 3] {
    [
        ("ci status", Box::new(|| ci.look(context.target, context.release.source))),
        ("gates", Box::new(|| gates::look(context))),
        ("version", Box::new(|| reused::look(context))),
    ]
}

/// Runs the checks that do not depend on the machine or the account that makes the release, and returns what each of
/// them saw. They need no secrets if everything is public, and do not wait for CI.
///
/// # Errors
/// When a signal interrupted it.
pub(crate) fn look(context: &Context<'_>) -> Result<Vec<(&'static str, Result<Found>)>> {
    let (ci, source, inputs) = (ci::Gate::default(), context.release.source, context.release.inputs);
    let rules = || {
        let broken = inputs.problems.iter().map(|problem| Problem::new("commit", problem));
        Ok(observed("keeps the rules", broken))
    };
    let forge = || {
        let problems = context.target.forge.check_source(&source.tag, &source.commit)?;
        Ok(observed("has the tag at the commit, on a branch that may be released", problems))
    };
    let key = || keys::look(context);
    let mut checks: Vec<Check<'_>> =
        vec![("commit", Box::new(rules)), ("forge", Box::new(forge)), ("signing key", Box::new(key))];
    checks.extend(of_release(context, &ci));
    run_checks(&checks)
}

/// The versions of the tools, and every problem. A skipped check is itself a problem if no other check reports one.
fn judge(results: Vec<(&'static str, Result<Found>)>) -> (BTreeMap<String, String>, Vec<Problem>) {
    let (mut versions, mut problems, mut skipped) = (BTreeMap::new(), Vec::new(), Vec::new());
    for (name, result) in results {
        match result {
            Ok(Found { seen, not_asked: true, .. }) => {
                skipped.extend(seen.into_iter().map(|(_, why)| Problem::new(name, why)));
            }
            Ok(Found { seen, problems: found, .. }) => {
                let of_tools = seen.into_iter().filter(|(tool, _)| !tool.is_empty());
                versions.extend(of_tools.map(|(tool, version)| (tool.to_owned(), version)));
                problems.extend(found);
            }
            Err(error) => problems.push(Problem::of_error(name, &error)),
        }
    }
    (versions, if problems.is_empty() { skipped } else { problems })
}

/// The result of each check, in their order.
///
/// # Errors
/// When a signal interrupted them.
pub(crate) fn run_checks(checks: &[Check<'_>]) -> Result<Vec<(&'static str, Result<Found>)>> {
    let results = thread::scope(|scope| {
        let running: Vec<_> = checks.iter().map(|(name, check)| (*name, scope.spawn(check))).collect();
        let join = |(name, thread): (&'static str, thread::ScopedJoinHandle<'_, Result<Found>>)| {
            (name, joined(thread.join()).flatten())
        };
        running.into_iter().map(join).collect()
    });
    crate::process::interrupt::check()?;
    Ok(results)
}

/// One refusal for all problems of a release.
#[must_use]
pub fn refusal(problems: &[Problem]) -> anyhow::Error {
    problems_found("the release cannot begin, and nothing was changed", problems)
}

/// One refusal for all `problems`, under a heading. If all of them are transient, the error is [`Transient`] instead.
fn problems_found(heading: &str, problems: &[Problem]) -> anyhow::Error {
    let lines: String =
        problems.iter().map(|problem| format!("\n- {}: {}", problem.check, problem.text)).collect();
    let text = format!("{heading}:{lines}");
    let is_transient = problems.iter().all(|problem| problem.is_transient);
    if is_transient { Transient::new(text).into() } else { Refusal::new(text).into() }
}

/// Checks that there is room for the files of a release, and returns the free bytes. Called before the first of these
/// files is written.
///
/// # Errors
/// A [`Refusal`] if there is not.
pub fn check_disk() -> Result<u64> {
    let dir = temporary_directory();
    let free = free_bytes(&dir)?;
    if free < SCRATCH_SPACE {
        refuse!(
            "`{}` has {} MiB free: a release needs {}; free some, or set `TMPDIR` to a directory on another disk",
            dir.display(),
            free >> 20,
            SCRATCH_SPACE >> 20
        );
    }
    Ok(free)
}

fn free_bytes(dir: &Path) -> Result<u64> {
    let stat = statvfs(dir).with_context(|| format!("asking for the free space in `{}`", dir.display()))?;
    Ok(stat.blocks_available().saturating_mul(stat.fragment_size()))
}

#[cfg(test)]
mod tests {
    use super::{Found, Problem, Transient, judge, not_asked, observed, refusal};
    use anyhow::anyhow;

    #[test]
    fn a_skipped_check_is_a_problem_unless_another_check_reports_one() {
        let judged = |results| {
            let (versions, problems) = judge(results);
            (versions.len(), problems.iter().map(|problem| problem.check).collect::<Vec<_>>())
        };
        let engine = || Ok(Found { seen: vec![("docker", "29".to_owned())], ..Found::default() });
        let skipped = || ("sources", Ok(not_asked("docker does not answer")));
        let down = ("docker", Err(anyhow!("docker does not answer")));
        assert_eq!(judged(vec![("docker", engine()), ("registry", Ok(observed("x", [])))]), (1, vec![]));
        assert_eq!(judged(vec![("docker", engine()), skipped()]), (1, vec!["sources"]));
        assert_eq!(judged(vec![down, skipped()]), (0, vec!["docker"]));
    }

    #[test]
    fn a_release_begins_only_if_no_check_found_a_problem_or_failed() {
        let found =
            |problems: &[&str]| Ok(observed("x", problems.iter().map(|text| Problem::new("gate", *text))));
        let texts = |results| judge(results).1.into_iter().map(|problem| problem.text).collect::<Vec<_>>();
        assert!(texts(vec![("docker", found(&[])), ("forge", found(&[]))]).is_empty());
        let results = vec![
            ("docker", found(&["a"])),
            ("forge", Err(anyhow!("b"))),
            ("gates", found(&["c", "d"])),
            ("sources", Ok(not_asked("docker does not answer"))),
        ];
        assert_eq!(texts(results), ["a", "b", "c", "d"]);
    }

    #[test]
    fn all_problems_are_listed_in_one_refusal() {
        let error = refusal(&[Problem::new("docker", "a"), Problem::new("registry", "b")]);
        assert_eq!(crate::process::failure::exit_code(&error), 3);
        let text = error.to_string();
        assert!(text.contains("- docker: a") && text.contains("- registry: b"), "{text}");
    }

    #[test]
    fn transient_problems_are_a_refusal_only_together_with_permanent_ones() {
        let away = Problem::of_error("forge", &Transient::new("answered 502").into());
        let waiting = Problem::transient("ci status", "did not finish");
        let code = |problems: &[Problem]| crate::process::failure::exit_code(&refusal(problems));
        assert_eq!(code(&[away.clone(), waiting]), 75);
        assert_eq!(code(&[away, Problem::new("docker", "a")]), 3);
    }
}

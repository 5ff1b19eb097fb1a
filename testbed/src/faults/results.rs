//! The results of a matrix: a file with one JSON line per case, so that an interrupted matrix can be continued, and
//! the table made of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result};

use super::case::{Case, Injury, Kind};
use super::trial::Outcome;
use crate::bench::figures::Spread;

/// What is done, and the file that records it.
#[derive(Default)]
pub(super) struct Results {
    pub(super) outcomes: Vec<Outcome>,
    file: Option<File>,
}

/// The first line of the file.
#[derive(serde::Serialize, serde::Deserialize)]
struct Header {
    seed: u64,
}

impl Results {
    /// Opens `path` to continue it, or creates it. Returns the seed that it was started with, else `seed`.
    pub(super) fn open(path: &Path, seed: u64) -> Result<(Self, u64)> {
        let doing = || format!("reading the results in `{}`", path.display());
        let text = if path.exists() { fs::read_to_string(path).with_context(doing)? } else { String::new() };
        // A last line without its end was being written when the run was interrupted.
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let mut lines = whole.lines();
        let header =
            lines.next().map(|line| serde_json::from_str::<Header>(line).with_context(doing)).transpose()?;
        let mut outcomes = Vec::new();
        for line in lines {
            outcomes.push(serde_json::from_str(line).with_context(doing)?);
        }
        let is_new = header.is_none();
        let seed = header.map_or(seed, |header| header.seed);
        let kept = if is_new { String::new() } else { format!("{whole}\n") };
        fs::write(path, kept).with_context(doing)?;
        let file = File::options().create(true).append(true).open(path).with_context(doing)?;
        let mut results = Self { outcomes, file: Some(file) };
        if is_new {
            results.append(&Header { seed })?;
        }
        Ok((results, seed))
    }

    /// The names of the cases that have a result; forgets those that could not be tried.
    pub(super) fn done(&mut self) -> BTreeSet<String> {
        self.outcomes.retain(Outcome::was_tried);
        self.outcomes.iter().map(|outcome| outcome.case.clone()).collect()
    }

    /// Adds a case.
    pub(super) fn add(&mut self, outcome: Outcome) -> Result<()> {
        self.append(&outcome)?;
        self.outcomes.push(outcome);
        Ok(())
    }

    fn append(&mut self, line: &impl serde::Serialize) -> Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        let line = serde_json::to_string(line).context("rendering a result")? + "\n";
        file.write_all(line.as_bytes()).context("writing a result")
    }
}

/// The number of cases, violations and missed targets, by kind and fault, as a Markdown table.
pub(super) fn table(outcomes: &[Outcome]) -> Result<String> {
    let mut groups = BTreeMap::<(Kind, Injury), Vec<&Outcome>>::new();
    for outcome in outcomes {
        let case: Case = outcome.case.parse()?;
        groups.entry((case.target.kind, case.injury)).or_default().push(outcome);
    }
    let mut text = "| what | fault | cases | by another call or request | not met | first run done | violations | seconds, median |\n\
        |---|---|---|---|---|---|---|---|\n"
        .to_owned();
    let mut row = |what: &str, fault: &str, outcomes: &[&Outcome]| {
        let count = |wanted: &dyn Fn(&Outcome) -> bool| outcomes.iter().filter(|one| wanted(one)).count();
        let elsewhere = count(&|one| one.met && one.instead.is_some());
        let (missed, violated) = (count(&|one| !one.met), count(&|one| !one.violations.is_empty()));
        let done = count(&|one| one.first == 0);
        let median = Spread::of(outcomes.iter().map(|one| one.seconds)).map_or(0.0, |spread| spread.median);
        let cases = outcomes.len();
        text += &format!(
            "| {what} | {fault} | {cases} | {elsewhere} | {missed} | {done} | {violated} | {median:.1} |\n"
        );
    };
    for ((kind, injury), outcomes) in &groups {
        row(&kind.to_string(), &injury.to_string(), outcomes);
    }
    row("**all**", "", &outcomes.iter().collect::<Vec<_>>());
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::{Results, table};
    use crate::faults::trial::{Looks, Outcome};
    use xtask::process::temp_dir::TempDir;

    fn outcome(case: &str, met: bool, violations: &[&str]) -> Outcome {
        let violations = violations.iter().map(|text| (*text).to_owned()).collect();
        let (case, commit) = (case.to_owned(), "aaaaaaaaaaaa".to_owned());
        let looks = Looks { count: 100, seconds: 2.0, longest: 0.04 };
        Outcome { case, commit, instead: None, met, first: 1, seconds: 2.0, violations, looks }
    }

    #[test]
    fn an_interrupted_matrix_continues_where_it_stopped() {
        let scratch = TempDir::new().unwrap();
        let path = scratch.path().join("results");
        let (mut results, seed) = Results::open(&path, 7).unwrap();
        assert_eq!(seed, 7);
        results.add(outcome("call fail 1 git tag", true, &[])).unwrap();
        let half = std::fs::read_to_string(&path).unwrap() + "{\"case\":\"ca";
        std::fs::write(&path, half).unwrap();
        let (mut results, seed) = Results::open(&path, 8).unwrap();
        assert_eq!(seed, 7, "the seed that the matrix was started with still holds");
        assert!(results.done().contains("call fail 1 git tag"));
        results.add(outcome("call hang 1 git tag", true, &[])).unwrap();
        let case = "call fail 2 git tag".parse().unwrap();
        results.add(Outcome::not_tried(&case, &anyhow::anyhow!("no engine"))).unwrap();
        let mut results = Results::open(&path, 9).unwrap().0;
        assert_eq!(results.outcomes.len(), 3);
        assert_eq!(results.done().len(), 2, "the case that could not be tried is not done");
    }

    #[test]
    fn a_matrix_that_was_interrupted_in_its_first_line_begins_again() {
        let scratch = TempDir::new().unwrap();
        let path = scratch.path().join("results");
        std::fs::write(&path, "{\"se").unwrap();
        let (mut results, seed) = Results::open(&path, 8).unwrap();
        assert_eq!((seed, results.done().len()), (8, 0));
        assert_eq!(Results::open(&path, 9).unwrap().1, 8, "the file is valid and has the seed");
    }

    #[test]
    fn the_table_counts_by_kind_and_fault() {
        let outcomes = [
            outcome("call fail 1 git tag", true, &[]),
            outcome("call fail 2 git tag", false, &["two pages"]),
            outcome("request 429 1 GET /", true, &[]),
        ];
        let table = table(&outcomes).unwrap();
        assert!(table.contains("| call | fail | 2 | 0 | 1 | 0 | 1 | 2.0 |"), "{table}");
        assert!(table.contains("| request | 429 | 1 | 0 | 0 | 0 | 0 | 2.0 |"), "{table}");
        assert!(table.contains("| **all** |  | 3 | 0 | 1 | 0 | 1 | 2.0 |"), "{table}");
    }
}

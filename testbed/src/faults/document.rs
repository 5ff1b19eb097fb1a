//! The figures in `docs/reliability.md`.

use std::collections::BTreeMap;

use anyhow::Result;
use xtask::process::environment::Environment;

use super::kit::Kit;
use super::results;
use super::trial::Outcome;
use crate::bench::machine;
use crate::forge_client::Client;

/// The results of the matrix of `cases` cases, some of which may still be open.
pub(super) fn matrix(kit: &Kit, cases: usize, seed: u64, outcomes: &[Outcome]) -> Result<String> {
    let (calls, requests): (Vec<_>, Vec<_>) =
        kit.targets().iter().partition(|(_, target)| target.kind == super::Kind::Call);
    let intro = format!(
        "An undisturbed release makes {} calls and {} requests and took {:.1} s. Of {cases} cases {} were tried, with seed {seed}, \
         of commit {}.{}\n",
        calls.len(),
        requests.len(),
        kit.undisturbed(),
        outcomes.len(),
        commits(outcomes),
        looks(outcomes),
    );
    Ok(format!("{intro}\n{}", results::table(outcomes)?))
}

/// The commits and, if there is more than one, how many cases were tried on each.
fn commits(outcomes: &[Outcome]) -> String {
    let mut counts = BTreeMap::<&str, usize>::new();
    for outcome in outcomes {
        *counts.entry(&outcome.commit).or_default() += 1;
    }
    match counts.len() {
        1 => counts.into_keys().collect(),
        _ => {
            let counts: Vec<_> = counts.iter().map(|(commit, count)| format!("{commit} ({count})")).collect();
            counts.join(", ")
        }
    }
}

/// How often the anonymous client polled, in the cases that recorded it.
fn looks(outcomes: &[Outcome]) -> String {
    let looks: Vec<_> = outcomes.iter().map(|one| &one.looks).filter(|looks| looks.count > 0).collect();
    let count: usize = looks.iter().map(|looks| looks.count).sum();
    if count == 0 {
        return String::new();
    }
    let mean = 1000.0 * looks.iter().map(|looks| looks.seconds).sum::<f64>() / count as f64;
    let longest = 1000.0 * looks.iter().map(|looks| looks.longest).fold(0.0, f64::max);
    let cases = looks.len();
    format!(
        " In {cases} of them the anonymous client asked {count} times while something was being changed: every {mean:.0} ms on \
         average, never more than {longest:.0} ms apart."
    )
}

/// The machine, as a table. Call this before a run, because the run may change the load, and the commit may change.
pub(super) fn machine(environment: &Environment) -> Result<String> {
    let machine = machine::describe(environment, &Client::from_environment(environment)?)?;
    let rows: String = machine.iter().map(|(name, value)| format!("| {name} | {value} |\n")).collect();
    Ok(format!("| | |\n|---|---|\n{rows}"))
}

/// Writes the table of the `machine`, and `generated` below it, into the part that belongs to the command `name`.
pub(super) fn write(machine: &str, name: &str, generated: &str) -> Result<()> {
    crate::generated::write("reliability.md", name, &format!("{machine}\n{generated}"))
}

#[cfg(test)]
mod tests {
    use super::{Outcome, looks};
    use crate::faults::Looks;

    fn outcome(count: usize, longest: f64) -> Outcome {
        let looks = Looks { count, seconds: 6.0, longest };
        let case = "call fail 1 git tag".parse().unwrap();
        Outcome { looks, ..Outcome::not_tried(&case, &anyhow::anyhow!("nothing")) }
    }

    #[test]
    fn only_cases_that_recorded_their_looks_are_counted() {
        assert_eq!(looks(&[outcome(0, 0.0)]), "");
        let text = looks(&[outcome(200, 0.04), outcome(0, 0.0), outcome(100, 0.3)]);
        assert_eq!(
            text,
            " In 2 of them the anonymous client asked 300 times while something was being changed: every 40 ms on \
             average, never more than 300 ms apart."
        );
    }
}

//! Tells each lie, asks `xtask verify`, and holds its verdicts against the table. Deviations are collected: one run shows
//! all of them.

use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use super::Lie;
use super::honest::{Honest, honest};
use crate::harness::run::Finished;

/// All lies are about one release.
static TURN: Mutex<()> = Mutex::new(());

/// Exit codes of `xtask verify` (docs/verifying.md): a claim is false; none is, but one could not be checked.
const FALSE: i32 = 1;
const UNCHECKED: i32 = 4;

/// The `--json` document, as far as it is compared.
#[derive(Deserialize)]
struct Report {
    claims: Vec<Claim>,
}

#[derive(Deserialize)]
struct Claim {
    id: String,
    verdict: String,
    evidence: String,
}

/// Tells the lies one after the other; after each, the honest release must verify again.
pub(super) fn check(lies: &[Lie]) -> Result<()> {
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let (honest, mut found) = (honest()?, Vec::new());
    for lie in lies {
        let name = lie.name;
        let told = tell(honest, lie).unwrap_or_else(|error| vec![format!("{error:#}")]);
        found.extend(told.into_iter().map(|deviation| format!("{name}: {deviation}")));
        honest.undo().with_context(|| format!("undoing `{name}`; found before: {found:#?}"))?;
        let after = deviations(&honest.verify(&[])?, &[], &[]);
        let after = after.with_context(|| format!("after `{name}`; found before: {found:#?}"))?;
        found.extend(after.into_iter().map(|deviation| format!("after `{name}`: {deviation}")));
    }
    drop(turn);
    ensure!(found.is_empty(), "{} deviations:\n{}", found.len(), found.join("\n"));
    Ok(())
}

fn tell(honest: &Honest, lie: &Lie) -> Result<Vec<String>> {
    (lie.make)(honest).context("it could not be told")?;
    let more: &[&str] = if lie.wrong.contains(&"rebuild") { &["--rebuild"] } else { &[] };
    deviations(&honest.verify(more)?, lie.wrong, lie.unchecked)
}

/// What a run said that it must not have said, a line each.
fn deviations(run: &Finished, wrong: &[&str], unchecked: &[&str]) -> Result<Vec<String>> {
    let report: Report = serde_json::from_str(&run.stdout).with_context(|| {
        format!("exit code {} and no report: {}{}", run.code, run.stdout, run.stderr.trim_end())
    })?;
    let mut deviations = Vec::new();
    let code = match (wrong, unchecked) {
        ([], []) => 0,
        ([], _) => UNCHECKED,
        _ => FALSE,
    };
    if run.code != code {
        deviations.push(format!("exit code {}: expected {code}", run.code));
    }
    for Claim { id, verdict, evidence } in &report.claims {
        let expected = match &**id {
            id if wrong.contains(&id) => "false",
            id if unchecked.contains(&id) => "unchecked",
            _ => "holds",
        };
        if verdict != expected {
            deviations.push(format!("`{id}` is {verdict}, expected {expected}: {evidence}"));
        }
    }
    let is_missing = |id: &&&str| !report.claims.iter().any(|claim| claim.id == **id);
    let missing = wrong.iter().chain(unchecked).filter(is_missing);
    deviations.extend(missing.map(|id| format!("there is no claim `{id}`")));
    Ok(deviations)
}

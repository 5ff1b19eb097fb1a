//! Tells each lie, runs `xtask verify`, and compares its verdicts with the table. Deviations are collected, so that
//! one run shows all of them.

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;

use super::Lie;
use super::honest::{self, Honest};
use crate::harness::run::Finished;

/// Exit codes of `xtask verify` (docs/verifying.md): a claim is false; or no claim is false, but one could not be
/// checked.
const FALSE: i32 = 1;
const UNCHECKED: i32 = 4;

/// The parts of the `--json` document that are compared.
#[derive(Deserialize)]
struct Report {
    releases: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    claims: Vec<Claim>,
}

#[derive(Deserialize)]
struct Claim {
    id: String,
    verdict: String,
    evidence: String,
    /// The claim that explains why this one could not be checked.
    see: Option<String>,
}

/// Tells the lies one after the other. Once a lie is undone, the honest release must verify again.
pub(super) fn check(topics: [&[Lie]; 8]) -> Result<()> {
    let (honest, mut found) = (honest::make()?, Vec::new());
    for lie in topics.into_iter().flatten() {
        let name = lie.name;
        let caused = tell(&honest, lie).unwrap_or_else(|error| vec![format!("{error:#}")]);
        found.extend(caused.into_iter().map(|deviation| format!("{name}: {deviation}")));
        honest.undo().with_context(|| format!("undoing `{name}`; found before: {found:#?}"))?;
        let after = deviations(&honest.verify(&[])?, &[], &[]);
        let after = after.with_context(|| format!("after `{name}`; found before: {found:#?}"))?;
        found.extend(after.into_iter().map(|deviation| format!("after `{name}`: {deviation}")));
    }
    ensure!(found.is_empty(), "{} deviations:\n{}", found.len(), found.join("\n"));
    Ok(())
}

fn tell(honest: &Honest, lie: &Lie) -> Result<Vec<String>> {
    (lie.make)(honest).context("making the change")?;
    let more: &[&str] = if lie.wrong.contains(&"rebuild") { &["--rebuild"] } else { &[] };
    deviations(&honest.verify(more)?, lie.wrong, lie.unchecked)
}

/// The deviations of a run from what was expected, one per line.
fn deviations(run: &Finished, wrong: &[&str], unchecked: &[&str]) -> Result<Vec<String>> {
    let report: Report = serde_json::from_str(&run.stdout)
        .with_context(|| format!("exit code {} and no report: {}", run.code, run.stderr.trim_end()))?;
    let [Entry { claims }] = &report.releases[..] else {
        bail!("the report is about {} releases: expected one", report.releases.len());
    };
    let mut deviations = Vec::new();
    let code = match (wrong, unchecked) {
        ([], []) => 0,
        ([], _) => UNCHECKED,
        _ => FALSE,
    };
    if run.code != code {
        deviations.push(format!("exit code {}: expected {code}", run.code));
    }
    for Claim { id, verdict, evidence, .. } in claims {
        let expected = match &**id {
            id if has(wrong, id) => "false",
            id if has(unchecked, id) => "unchecked",
            _ => "holds",
        };
        if verdict != expected {
            let evidence = evidence.lines().next().unwrap_or_default();
            deviations.push(format!("`{id}` is {verdict}, expected {expected}: {evidence}"));
        }
    }
    // If every server answered, an unchecked claim follows from another claim that does not hold, and names it.
    let is_named = |see: &str| claims.iter().any(|claim| claim.id == see && claim.verdict != "holds");
    let follows = |claim: &&Claim| claim.verdict == "unchecked" && !wrong.is_empty();
    let unexplained =
        claims.iter().filter(follows).filter(|claim| !claim.see.as_deref().is_some_and(is_named));
    deviations.extend(unexplained.map(|claim| format!("`{}` does not say why: {:?}", claim.id, claim.see)));
    let is_missing = |pattern: &&&str| !claims.iter().any(|claim| is(pattern, &claim.id));
    let missing = wrong.iter().chain(unchecked).filter(is_missing);
    deviations.extend(missing.map(|pattern| format!("there is no claim `{pattern}`")));
    Ok(deviations)
}

fn has(patterns: &[&str], id: &str) -> bool {
    patterns.iter().any(|pattern| is(pattern, id))
}

/// Whether `pattern` is the claim's id, or ends in `*` and the id starts with the rest.
fn is(pattern: &str, id: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == id, |start| id.starts_with(start))
}

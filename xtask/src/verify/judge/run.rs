//! The claim that the forge has a record of the workflow run that a provenance names, for the same commit.

use anyhow::{Result, bail, ensure};
use serde_json::Value;

use crate::evidence::claims;
use crate::evidence::provenance::{Provenance, RUN};
use crate::forge::{RunLookup, RunRecord};
use crate::inputs::release::Release;
use crate::verify::claim::{Claim, Observed, Unavailable};

/// The run that a provenance names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::verify) struct Named {
    /// The run's id, which is unique on the whole instance of the forge.
    pub(in crate::verify) id: u64,
    number: String,
    event: String,
    workflow: String,
}

/// The run that the provenance in `predicate` names. `None` if it names none, as when the release was made on a
/// person's own machine.
///
/// # Errors
/// Why that is unknown.
pub(in crate::verify) fn named(predicate: &Observed<Value>) -> Observed<Option<Named>> {
    let predicate = predicate.as_ref().map_err(Clone::clone)?;
    let read =
        Provenance::read(predicate).map_err(|_form| Unavailable::DependsOn(claims::PROVENANCE_FORM))?;
    let definition = read.build_definition;
    let Some(workflow) = definition.external_parameters.workflow else { return Ok(None) };
    let said = |key: &str| definition.internal_parameters.get(RUN).and_then(|run| run.get(key)).cloned();
    let id = said("run_id").and_then(|id| id.parse().ok());
    // A provenance without a run, or without its numbers, is reported by `provenance.builder`.
    let (Some(id), Some(number), Some(event)) = (id, said("run_number"), said("event_name")) else {
        return Err(Unavailable::DependsOn(claims::PROVENANCE_BUILDER));
    };
    Ok(Some(Named { id, number, event, workflow: workflow.path }))
}

/// Judges the run; `None` if the forge does not say anything about runs.
pub(in crate::verify) fn judge(
    release: &Release<'_>,
    named: &Named,
    said: &Observed<RunLookup>,
) -> Option<Claim> {
    if matches!(said, Ok(RunLookup::Refused(_))) {
        return None;
    }
    Some(Claim::judge(claims::PROVENANCE_RUN, said, |said| {
        let RunLookup::Recorded(record) = said else {
            bail!("the forge has no run {}", named.id);
        };
        check(release, named, record)?;
        Ok(format!(
            "run {} of `{}` by `{}`, as the forge has it",
            record.number, record.workflow, record.event
        ))
    }))
}

fn check(release: &Release<'_>, named: &Named, record: &RunRecord) -> Result<()> {
    let (tag, commit) = (release.tag().to_string(), release.source.commit.to_string());
    let file = named.workflow.rsplit('/').next().unwrap_or_default();
    for (what, found, expected) in [
        ("commit", record.commit.as_str(), &*commit),
        ("tag or branch", &record.reference, &tag),
        ("number", &record.number.to_string(), &named.number),
        ("event", &record.event, &named.event),
        ("workflow", &record.workflow, file),
    ] {
        ensure!(
            found == expected,
            "the forge says of run {} that its {what} is `{found}`: expected `{expected}`",
            named.id
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::named;
    use crate::verify::claim::Unavailable;
    use serde_json::json;

    #[test]
    fn an_unreadable_provenance_names_no_run_and_refers_to_another_claim() {
        assert_eq!(named(&Ok(json!({}))), Err(Unavailable::DependsOn("provenance.form")));
        assert_eq!(
            named(&Err(Unavailable::DependsOn("provenance"))),
            Err(Unavailable::DependsOn("provenance"))
        );
    }
}

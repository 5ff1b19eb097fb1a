//! Whether a commit's state on the forge allows its release: a pure decision over the combined status.

use anyhow::Result;
use serde::Deserialize;

use crate::environment::Environment;

/// The release's own workflow, by the `name:` that this repository gives it: its state says nothing about the commit, and
/// while it runs it is pending. Both forges write contexts as `<name> / <job> (<event>)`.
const RELEASE_WORKFLOW: &str = "release";

/// `GET /repos/{o}/{r}/commits/{sha}/status`: the newest status of each context.
#[derive(Deserialize)]
pub(super) struct Combined {
    statuses: Option<Vec<Status>>,
}

#[derive(Deserialize)]
struct Status {
    status: String,
    context: String,
}

/// The name of the workflow that runs now, where it has another one than this repository gives it.
#[derive(Default)]
pub(super) struct OwnRun {
    workflow: Option<String>,
}

impl OwnRun {
    pub(super) fn new(environment: &Environment) -> Result<Self> {
        Ok(Self { workflow: environment.runner("WORKFLOW")?.map(str::to_owned) })
    }

    fn is(&self, status: &Status) -> bool {
        let workflow = status.context.split_once(" / ").map(|(workflow, _)| workflow);
        workflow.is_some_and(|name| name == RELEASE_WORKFLOW || Some(name) == self.workflow.as_deref())
    }
}

/// `Err` says why the commit is not green.
pub(super) fn judge(combined: &Combined, own_run: &OwnRun) -> Result<(), String> {
    const REMEDY: &str = "wait for it or mend it, then run the release again; `ci-status = \"off\"` in `Cargo.toml` lifts the rule";
    let others: Vec<_> = combined.statuses.iter().flatten().filter(|status| !own_run.is(status)).collect();
    if others.is_empty() {
        return Err(format!("the forge has no status for the commit: expected a successful one; {REMEDY}"));
    }
    let not_green: Vec<_> = others
        .iter()
        .filter(|status| status.status != "success")
        .map(|status| format!("`{}` is {}", status.context, status.status))
        .collect();
    if not_green.is_empty() {
        Ok(())
    } else {
        Err(format!("{}: expected success; {REMEDY}", not_green.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::{Combined, OwnRun, judge};
    use serde_json::json;

    fn verdict(statuses: &[(&str, &str)]) -> Result<(), String> {
        let status = |(context, status): &(&str, &str)| json!({"context": context, "status": status});
        let statuses: Vec<_> = statuses.iter().map(status).collect();
        let combined: Combined =
            serde_json::from_value(json!({ "state": "", "statuses": statuses })).unwrap();
        judge(&combined, &OwnRun { workflow: Some("publish".to_owned()) })
    }

    #[test]
    fn green_is_a_success_and_nothing_else_besides_the_release_itself() {
        let ci = ("ci / test (push)", "success");
        let own = ("publish / job (push)", "pending");
        let release = ("release / release (push)", "failure");
        assert!(verdict(&[ci]).is_ok());
        assert!(verdict(&[ci, own, release]).is_ok());
        assert!(verdict(&[]).is_err(), "a missing status is not green");
        assert!(verdict(&[own, release]).is_err(), "the release's own status is not the commit's");
        for state in ["pending", "failure", "error", "warning", ""] {
            let error = verdict(&[ci, ("release-notes / lint (push)", state)]).unwrap_err();
            assert!(error.contains("`release-notes / lint (push)`"), "{error}");
        }
    }

    #[test]
    fn a_null_list_is_a_missing_status() {
        let combined: Combined = serde_json::from_value(json!({"state": "", "statuses": null})).unwrap();
        assert!(judge(&combined, &OwnRun::default()).is_err());
    }
}

//! Whether a commit's state on the forge allows its release: a pure decision from the newest status of each context.

use serde::Deserialize;

use crate::forge::{CiState, PendingContexts};
use crate::inputs::run::Run;
use crate::process::shown::one_line;

/// The `name:` that this repository gives the workflow that releases. Its state says nothing about the commit, and is
/// pending while it runs. Both forges write contexts as `<name> / <job> (<event>)`, without leading or trailing
/// spaces: a workflow without a name has `/ <job> (<event>)`.
const RELEASE_WORKFLOW_NAME: &str = "release";

/// A change after the tag has no effect on this tag, whose commit has its own configuration.
const LIFT: &str = "to lift the rule, set `ci-status = \"off\"` in `Cargo.toml` on the default branch, and tag the next version there";

/// `GET /repos/{o}/{r}/commits/{sha}/status`: a page with the newest status of each context.
#[derive(Deserialize)]
pub(super) struct Combined {
    pub(super) statuses: Option<Vec<Status>>,
}

/// The newest status of one context.
#[derive(Deserialize)]
pub(super) struct Status {
    status: String,
    context: String,
}

/// The name of the running workflow, which is empty if it has none; `None` outside of a run.
#[derive(Default)]
pub(super) struct OwnRun {
    workflow: Option<String>,
}

impl OwnRun {
    pub(super) fn new(run: Option<&Run>) -> Self {
        Self { workflow: run.map(|run| run.value("WORKFLOW").unwrap_or_default().to_owned()) }
    }

    fn is(&self, context: &str) -> bool {
        let is_of = |workflow: &str| {
            let job = context.strip_prefix(workflow);
            job.is_some_and(|job| job.starts_with(if workflow.is_empty() { "/ " } else { " / " }))
        };
        is_of(RELEASE_WORKFLOW_NAME) || self.workflow.as_deref().is_some_and(is_of)
    }
}

/// The result from a commit's statuses. `required` names the contexts that must exist and be green. If it is empty,
/// there must be at least one context, and all must be green. A context of the release itself never counts, so waiting
/// for one that is required would never end. A skipped context does not count (Gitea has that state).
pub(super) fn judge(statuses: &[Status], required: &[String], own_run: &OwnRun) -> CiState {
    let own: Vec<_> = required.iter().filter(|name| own_run.is(name)).map(String::as_str).collect();
    if !own.is_empty() {
        return CiState::Red(format!(
            "`ci-contexts` in `Cargo.toml` requires `{}`, of the workflow named `release` or of the one that runs this \
             command, whose status does not count: remove it from `ci-contexts` on the default branch, and tag the next \
             version there",
            own.join("`, `")
        ));
    }
    let counts = |status: &&Status| {
        let is_relevant = required.is_empty() || required.contains(&status.context);
        is_relevant && status.status != "skipped" && !own_run.is(&status.context)
    };
    let counted: Vec<_> = statuses.iter().filter(counts).collect();
    let is = |status: &&&Status, state: &str| status.status == state;
    let red: Vec<_> = counted
        .iter()
        .filter(|status| !is(status, "success") && !is(status, "pending"))
        .map(|status| format!("`{}` is {}", status.context, status.status))
        .collect();
    if !red.is_empty() {
        return CiState::Red(format!(
            "{}: expected success; if the commit is good, run that again on the forge, then the release; if not, correct it \
             and tag the next version",
            red.join(", ")
        ));
    }
    let pending = counted.iter().filter(|status| is(status, "pending"));
    let pending: Vec<_> = pending.map(|status| one_line(&status.context)).collect();
    let missing = required.iter().filter(|name| !counted.iter().any(|status| &status.context == *name));
    let missing: Vec<_> = missing.cloned().collect();
    let present = |status: &Status| one_line(&format!("`{}` is {}", status.context, status.status));
    match (pending.is_empty() && missing.is_empty(), counted.is_empty()) {
        (false, _) => {
            let present =
                statuses.iter().filter(|status| !own_run.is(&status.context)).map(present).collect();
            CiState::Pending(PendingContexts { pending, missing, present })
        }
        (true, false) => CiState::Green,
        (true, true) => CiState::Red(format!(
            "the forge has no status for the commit: expected a successful one; run CI for it, then run the release \
             again; {LIFT}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::{OwnRun, Status, judge};
    use crate::forge::{CiState, PendingContexts};

    fn state(statuses: &[(&str, &str)], required: &[&str]) -> CiState {
        state_in(Some("publish"), statuses, required)
    }

    fn state_in(workflow: Option<&str>, statuses: &[(&str, &str)], required: &[&str]) -> CiState {
        let status = |(context, status): &(&str, &str)| Status {
            context: (*context).to_owned(),
            status: (*status).to_owned(),
        };
        let statuses: Vec<_> = statuses.iter().map(status).collect();
        let required: Vec<_> = required.iter().map(|name| (*name).to_owned()).collect();
        judge(&statuses, &required, &OwnRun { workflow: workflow.map(str::to_owned) })
    }

    fn waits_for(pending: &[&str], missing: &[&str], present: &[&str]) -> CiState {
        let [pending, missing, present] =
            [pending, missing, present].map(|names| names.iter().map(|name| (*name).to_owned()).collect());
        CiState::Pending(PendingContexts { pending, missing, present })
    }

    const CI: (&str, &str) = ("ci / test (push)", "success");
    const LINT: &str = "release-notes / lint (push)";

    #[test]
    fn green_needs_a_success_and_nothing_red_apart_from_the_release_itself() {
        let own = [("publish / job (push)", "pending"), ("release / release (push)", "failure")];
        assert_eq!(state(&[CI], &[]), CiState::Green);
        assert_eq!(state(&[CI, own[0], own[1]], &[]), CiState::Green);
        let is_red = |statuses: &[(&str, &str)], words: &str| {
            let CiState::Red(text) = state(statuses, &[]) else { panic!("{statuses:?}") };
            assert!(text.contains(words), "{text}");
        };
        is_red(&[], "has no status");
        is_red(&own, "has no status");
        is_red(&[(LINT, "skipped")], "has no status");
        for red in ["failure", "error", "warning", ""] {
            is_red(&[CI, (LINT, red)], "`release-notes / lint (push)`");
            is_red(&[("other", "pending"), (LINT, red)], "`release-notes / lint (push)`");
        }
    }

    #[test]
    fn a_run_does_not_wait_for_itself_whatever_its_workflow_is_called() {
        for (workflow, own, is_own) in [
            (Some("images / publish"), "images / publish / job (push)", true),
            (Some("images"), "images / publish / job (push)", true),
            (Some(""), "/ job (push)", true),
            (Some(""), "ci / job (push)", false),
            (Some("publish"), "/ job (push)", false),
            (Some("publish"), "publisher / job (push)", false),
            (None, "/ job (push)", false),
            (None, "publish / job (push)", false),
        ] {
            let found = state_in(workflow, &[CI, (own, "pending")], &[]);
            assert_eq!(found == CiState::Green, is_own, "{workflow:?}: {own}");
        }
    }

    #[test]
    fn pending_contexts_are_awaited_and_skipped_ones_are_ignored() {
        let present = ["`ci / test (push)` is success", "`release-notes / lint (push)` is pending"];
        assert_eq!(state(&[CI, (LINT, "pending")], &[]), waits_for(&[LINT], &[], &present));
        assert_eq!(state(&[CI, (LINT, "skipped")], &[]), CiState::Green);
    }

    #[test]
    fn required_contexts_must_exist_and_no_others_count() {
        assert_eq!(state(&[CI, (LINT, "failure")], &[CI.0]), CiState::Green);
        let own = ("release / release (push)", "pending");
        let present = "`release-notes / lint (push)` is success";
        assert_eq!(state(&[(LINT, "success"), own], &[CI.0]), waits_for(&[], &[CI.0], &[present]));
        let skipped = "`ci / test (push)` is skipped";
        assert_eq!(state(&[(CI.0, "skipped")], &[CI.0]), waits_for(&[], &[CI.0], &[skipped]));
        let CiState::Pending(awaited) = state(&[CI, (LINT, "pending")], &[CI.0, LINT, "more"]) else {
            panic!()
        };
        assert_eq!(
            (&awaited.pending[..], &awaited.missing[..]),
            (&[LINT.to_owned()][..], &["more".to_owned()][..])
        );
        let hostile = state(&[("a\n- docker: b\u{1b}[2K", "pending")], &[]);
        let shown = "a\\n- docker: b\\u{1b}[2K";
        assert_eq!(hostile, waits_for(&[shown], &[], &[&format!("`{shown}` is pending")]));
        assert!(matches!(state(&[(CI.0, "failure")], &[CI.0, "more"]), CiState::Red(_)));
    }

    #[test]
    fn a_required_context_of_the_release_itself_is_red_at_once() {
        for (workflow, required) in [
            (Some("publish"), "publish / job (push)"),
            (Some("publish"), "release / release (push)"),
            (None, "release / release (push)"),
        ] {
            for statuses in [&[][..], &[CI, (required, "pending")], &[CI, (required, "success")]] {
                let found = state_in(workflow, statuses, &[CI.0, required]);
                let CiState::Red(text) = found else { panic!("{required}: {found:?}") };
                assert!(text.contains(&format!("requires `{required}`")), "{text}");
                assert!(!text.contains(CI.0), "{text}");
            }
        }
        assert_eq!(state_in(Some("publish"), &[CI], &[CI.0]), CiState::Green);
    }
}

//! What to say about the next run when a release did not finish.

use crate::process::failure::{ExitCode, exit_code};
use crate::process::interrupt;
use crate::process::progress::AtStep;
use crate::release::step::Step;

/// What has to come before the next run if something failed.
const FIX: &str = "fix this, then ";

/// What is public, what the next run will do, and what to type. `None` if the same command would end the same way.
#[must_use]
pub fn next_run(error: &anyhow::Error) -> Option<String> {
    let is_stopped = interrupt::is_cause_of(error);
    let first = match exit_code(error) {
        _ if is_stopped => "",
        code if code == ExitCode::Failed as u8 => FIX,
        code if code == ExitCode::TryAgain as u8 => "this may pass by itself: ",
        _ => return None,
    };
    let step = error.downcast_ref::<AtStep>().and_then(|at| Step::named(at.name()));
    // A tag stays on its commit, so a fault in the commit cannot be fixed for this version.
    let may_be_the_commit = first == FIX && matches!(step, Some(Step::Build | Step::Smoke | Step::Contents));
    let instead = if may_be_the_commit {
        "; if the commit is at fault, correct it and tag the next version"
    } else {
        ""
    };
    Some(format!("{}; {first}run the same command again{instead}", after(step)))
}

/// An error after the last step: the release is complete, but the report of it failed.
#[must_use]
pub fn after_the_end(error: anyhow::Error) -> anyhow::Error {
    error.context(AtStep::new(Step::Close.name()))
}

/// What is public after a failure in `step`, and what the next run will do. The image becomes public with the version
/// tag; the next run completes the steps after it.
fn after(step: Option<Step>) -> &'static str {
    match step {
        Some(Step::Tag) => {
            "the version tag is missing or names the verified image: the next run looks, and resumes from what it finds"
        }
        Some(Step::Page | Step::Latest | Step::Mark | Step::Close) => {
            "the version tag is public and names the verified image: the next run adds what is missing"
        }
        Some(Step::Compare) => {
            "the version tag names an image that does not verify as this release, and nothing was changed: the next run says more"
        }
        None
        | Some(
            Step::Look
            | Step::Preflight
            | Step::Export
            | Step::Build
            | Step::Smoke
            | Step::Contents
            | Step::Sign
            | Step::Attest
            | Step::Store
            | Step::Verify,
        ) => {
            "this run pushed no version tag: the next run resumes if a verified one exists, otherwise it rebuilds the same image"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{after_the_end, next_run};
    use crate::process::failure::{Misuse, Refusal, Transient};
    use crate::process::progress::Steps;
    use anyhow::{Context as _, Error, anyhow};

    fn at(step: &str, error: Error) -> String {
        let failed = Steps::plain().run(step, "", || Err::<(), _>(error)).context("releasing");
        next_run(&failed.unwrap_err()).unwrap_or_default()
    }

    #[test]
    fn the_version_tag_decides_what_the_next_run_will_do() {
        let failed = |step| at(step, anyhow!("no answer"));
        for step in ["look", "preflight", "build", "smoke", "sign", "attest", "store", "verify"] {
            assert!(failed(step).starts_with("this run pushed no version tag"), "{step}");
        }
        assert!(failed("tag").contains("is missing or names"));
        for step in ["page", "latest", "close"] {
            assert!(failed(step).starts_with("the version tag is public"), "{step}");
        }
        assert!(next_run(&anyhow!("before any step")).unwrap().starts_with("this run pushed no"));
        let unreported = after_the_end(anyhow!("standard output is closed"));
        assert!(next_run(&unreported).unwrap().starts_with("the version tag is public"));
    }

    #[test]
    fn the_next_run_is_suggested_only_if_it_may_end_differently() {
        assert!(at("sign", anyhow!("no answer")).ends_with("; fix this, then run the same command again"));
        let commit = "; if the commit is at fault, correct it and tag the next version";
        for step in ["build", "smoke", "contents"] {
            assert!(at(step, anyhow!("it ended at once")).ends_with(commit), "{step}");
            assert!(!at(step, Transient::new("answered 503").into()).ends_with(commit), "{step}");
        }
        let away = at("tag", Transient::new("answered 503").into());
        assert!(away.ends_with("; this may pass by itself: run the same command again"), "{away}");
        assert_eq!(at("tag", Refusal::new("the tag was moved").into()), "");
        assert_eq!(at("look", Misuse::new("no such tag").into()), "");
    }
}

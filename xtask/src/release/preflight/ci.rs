//! CI's result for the commit. A release waits for a pending result: a tag is often pushed right after its commit,
//! and a workflow that runs on every push starts again for the tag.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::forge::{CiState, PendingContexts};
use crate::inputs::source::Source;
use crate::process::problem::Problem;
use crate::process::shown::few;
use crate::release::Session;
use crate::release::preflight::{Found, observed};
use crate::release::target::Target;

/// The longest pause between two queries; the first pauses are shorter.
const MAX_PAUSE: Duration = Duration::from_secs(5);
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// How many of the forge's contexts a message lists.
const MAX_LISTED: usize = 20;

/// What was seen when all checks ran.
#[derive(Default)]
pub(super) struct Gate(OnceLock<CiState>);

impl Gate {
    /// Looks once; a pending result is not a problem yet.
    ///
    /// # Errors
    /// When the forge cannot be queried.
    pub(super) fn look(&self, target: &Target, source: &Source) -> Result<Found> {
        let state = target.forge.ci_state(&source.commit)?;
        let words = match &state {
            CiState::Pending(awaited) => format!("the release waits for {}", names(awaited)),
            CiState::Green | CiState::Red(_) => "nothing that counts is red or pending".to_owned(),
        };
        let found = observed(words, problem(&state));
        self.0.get_or_init(|| state);
        Ok(found)
    }

    /// Waits until nothing is pending, at most `timeouts.ci`.
    ///
    /// # Errors
    /// When the forge cannot be queried, or a signal interrupts the waiting.
    pub(super) fn wait(
        &self,
        session: &Session<'_>,
        target: &Target,
        source: &Source,
    ) -> Result<Vec<Problem>> {
        let limit = session.config.timeouts.ci();
        let deadline = Instant::now() + limit;
        let (mut state, mut pause) = (self.0.get().cloned(), FIRST_PAUSE);
        let mut printed = String::new();
        loop {
            let now = match state.take() {
                Some(state) => state,
                None => target.forge.ci_state(&source.commit)?,
            };
            let CiState::Pending(awaited) = now else { return Ok(problem(&now).into_iter().collect()) };
            if Instant::now() + pause > deadline {
                return Ok(timed_out(&awaited, limit));
            }
            let waits = format!("waiting for {}", names(&awaited));
            if printed != waits {
                session.steps.line("ci status", &waits);
                printed = waits;
            }
            crate::process::interrupt::pause(pause)?;
            pause = (pause * 2).min(MAX_PAUSE);
        }
    }
}

fn problem(state: &CiState) -> Option<Problem> {
    match state {
        CiState::Red(text) => Some(Problem::new("ci status", text.clone())),
        CiState::Green | CiState::Pending(_) => None,
    }
}

/// The contexts that the release waits for.
fn names(awaited: &PendingContexts) -> String {
    let PendingContexts { pending, missing, .. } = awaited;
    let names = [&pending[..], missing].concat().join("`, `");
    if missing.is_empty() {
        return format!("`{names}`");
    }
    format!("`{names}`; the forge has no status of `{}` yet", missing.join("`, `"))
}

/// A pending context may still finish, so that problem is transient. A missing one may have another name.
fn timed_out(awaited: &PendingContexts, limit: Duration) -> Vec<Problem> {
    let (PendingContexts { pending, missing, present }, limit) = (awaited, limit.as_secs());
    let mut problems = Vec::new();
    if !pending.is_empty() {
        let text = format!(
            "`{}` did not finish within {limit} s; run the release again when it has, or raise `timeouts.ci` in `Cargo.toml` and tag the \
             next version. If one runner runs all jobs, it cannot finish while this job waits for it",
            pending.join("`, `")
        );
        problems.push(Problem::transient("ci status", text));
    }
    if !missing.is_empty() {
        let text = format!(
            "the forge had no status of `{}` within {limit} s, which `ci-contexts` in `Cargo.toml` requires; it has {}. Write \
             the names as the forge does, on the default branch, too, or let CI report them, then run the release again",
            missing.join("`, `"),
            listed(present)
        );
        problems.push(Problem::new("ci status", text));
    }
    problems
}

fn listed(present: &[String]) -> String {
    few(present, MAX_LISTED).unwrap_or_else(|| "none for the commit".to_owned())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{MAX_LISTED, names, timed_out};
    use crate::forge::PendingContexts;
    use crate::process::failure::exit_code;
    use crate::release::preflight::refusal;

    fn awaited(pending: &[&str], missing: &[&str], present: &[&str]) -> PendingContexts {
        let [pending, missing, present] =
            [pending, missing, present].map(|names| names.iter().map(|name| (*name).to_owned()).collect());
        PendingContexts { pending, missing, present }
    }

    #[test]
    fn a_timeout_is_transient_only_if_no_context_is_missing() {
        for (pending, missing, code) in
            [(&["a"][..], &[][..], 75), (&[], &["tset"], 3), (&["a"], &["tset"], 3)]
        {
            let awaited = awaited(pending, missing, &["`test` is success"]);
            let problems = timed_out(&awaited, Duration::from_secs(900));
            assert_eq!(problems.len(), pending.len() + missing.len());
            let error = refusal(&problems);
            assert_eq!(exit_code(&error), code, "{error:#}");
            let says = |words: &str| error.to_string().contains(words);
            assert_eq!(says("`a` did not finish within 900 s"), !pending.is_empty(), "{error:#}");
            assert_eq!(
                says("no status of `tset`") && says("`test` is success"),
                !missing.is_empty(),
                "{error:#}"
            );
            assert_eq!(names(&awaited).contains("no status of `tset` yet"), !missing.is_empty());
        }
        let many = vec!["`x` is success"; MAX_LISTED + 5];
        let said = &timed_out(&awaited(&[], &["y"], &many), Duration::ZERO)[0].text;
        assert!(said.contains("and 5 more"), "{said}");
        let none = &timed_out(&awaited(&[], &["y"], &[]), Duration::ZERO)[0].text;
        assert!(none.contains("it has none for the commit"), "{none}");
    }
}

//! CI's result for the commit. A pending result is waited for: a tag is often pushed right after its commit, and a
//! workflow that runs on every push starts again for the tag.

use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::forge::CiState;
use crate::inputs::source::Source;
use crate::process::problem::Problem;
use crate::release::Session;
use crate::release::target::Target;

/// The pause between two questions; the first pauses are shorter.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// What was seen when all checks ran.
#[derive(Default)]
pub(super) struct Gate(OnceLock<CiState>);

impl Gate {
    /// Looks once; a pending result is not a problem yet.
    ///
    /// # Errors
    /// When the forge cannot be asked.
    pub(super) fn look(&self, target: &Target, source: &Source) -> Result<Vec<Problem>> {
        let state = target.forge.ci_state(&source.commit)?;
        let problems = problem(&state).into_iter().collect();
        self.0.get_or_init(|| state);
        Ok(problems)
    }

    /// Waits until nothing is pending, at most `timeouts.ci`.
    ///
    /// # Errors
    /// When the forge cannot be asked, or a signal interrupts it.
    pub(super) fn wait(
        &self,
        session: &Session<'_>,
        target: &Target,
        source: &Source,
    ) -> Result<Option<Problem>> {
        let limit = session.config.timeouts.ci();
        let deadline = Instant::now() + limit;
        let (mut state, mut pause) = (self.0.get().cloned(), FIRST_PAUSE);
        let mut said = Vec::new();
        loop {
            let now = match state.take() {
                Some(state) => state,
                None => target.forge.ci_state(&source.commit)?,
            };
            let CiState::Pending(names) = now else { return Ok(problem(&now)) };
            if Instant::now() + pause > deadline {
                return Ok(Some(timed_out(&names, limit)));
            }
            if said != names {
                session.steps.line("ci status", &format!("waiting for `{}`", names.join("`, `")));
                said = names;
            }
            thread::sleep(pause);
            crate::process::interrupt::check()?;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

fn problem(state: &CiState) -> Option<Problem> {
    match state {
        CiState::Red(text) => Some(Problem::new("ci status", text.clone())),
        CiState::Green | CiState::Pending(_) => None,
    }
}

fn timed_out(names: &[String], limit: Duration) -> Problem {
    let text = format!(
        "`{}` did not finish within {} s; run the release again when it has, or raise `timeouts.ci` in `Cargo.toml`. \
         If one runner runs all jobs, it cannot finish while this job waits for it",
        names.join("`, `"),
        limit.as_secs()
    );
    Problem::transient("ci status", text)
}

//! What the checks before a release found wrong in the tools, the forge, the registry and the repository.

use crate::process::failure::is_transient;

/// Why a release cannot begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The name of the check.
    pub check: &'static str,
    /// What was found, what was expected, and what to type next.
    pub text: String,
    /// It may go away without a change.
    pub is_transient: bool,
}

impl Problem {
    /// One problem of `check`.
    #[must_use]
    pub fn new(check: &'static str, text: impl Into<String>) -> Self {
        Self { check, text: text.into(), is_transient: false }
    }

    /// A problem that may go away without a change.
    #[must_use]
    pub fn transient(check: &'static str, text: impl Into<String>) -> Self {
        Self { check, text: text.into(), is_transient: true }
    }

    /// The problem of a check that could not be carried out.
    #[must_use]
    pub fn of_error(check: &'static str, error: &anyhow::Error) -> Self {
        Self { check, text: format!("{error:#}"), is_transient: is_transient(error) }
    }
}

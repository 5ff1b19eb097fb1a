//! What a look before a release found wrong: of the tools, the forge, the registry and the repository.

use crate::process::failure::is_transient;

/// Why a release cannot begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What was looked at.
    pub check: &'static str,
    /// What was found, what was expected, and what to type next.
    pub text: String,
    /// It may pass by itself.
    pub is_transient: bool,
}

impl Problem {
    /// One problem of `check`.
    #[must_use]
    pub fn new(check: &'static str, text: impl Into<String>) -> Self {
        Self { check, text: text.into(), is_transient: false }
    }

    /// One that may pass by itself.
    #[must_use]
    pub fn transient(check: &'static str, text: impl Into<String>) -> Self {
        Self { check, text: text.into(), is_transient: true }
    }

    /// A check that could not be made.
    #[must_use]
    pub fn of_error(check: &'static str, error: &anyhow::Error) -> Self {
        Self { check, text: format!("{error:#}"), is_transient: is_transient(error) }
    }
}

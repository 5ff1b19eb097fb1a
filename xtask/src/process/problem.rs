//! What a look before a release found wrong: of the tools, the forge, the registry and the repository.

/// Why a release cannot begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What was looked at.
    pub check: &'static str,
    /// What was found, what was expected, and what to type next.
    pub text: String,
}

impl Problem {
    /// One problem of `check`.
    #[must_use]
    pub fn new(check: &'static str, text: impl Into<String>) -> Self {
        Self { check, text: text.into() }
    }
}

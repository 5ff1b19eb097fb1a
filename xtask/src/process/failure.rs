//! What a failure means to the caller: the exit codes, and the error types that carry them.

use std::fmt;

use crate::process::interrupt::Interrupted;

/// Exit codes of every command; `docs/releasing.md` has the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitCode {
    /// Everything that was asked for is done.
    Done = 0,
    /// A step failed: fix the cause, then run the same command again.
    Failed = 1,
    /// The command line was wrong.
    Usage = 2,
    /// A rule or a conflict forbids it; nothing public was changed.
    Refused = 3,
    /// A claim could not be checked (`verify` only).
    Unchecked = 4,
    /// Transient (`EX_TEMPFAIL` of sysexits.h): there is nothing to fix, and the same command may succeed later.
    TryAgain = 75,
}

/// A rule forbids what was requested, and nothing public was changed. Exit code 3.
#[derive(Debug)]
pub struct Refusal(String);

impl Refusal {
    /// `message` says what was found, what was expected and what to type next.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

/// Turns an error from before any change into a [`Refusal`]. An interrupt, a misuse and a transient error keep their
/// class.
#[must_use]
pub fn refused(error: anyhow::Error) -> anyhow::Error {
    let has_class = |cause: &(dyn std::error::Error + 'static)| {
        cause.is::<Interrupted>() || cause.is::<Misuse>() || cause.is::<Transient>()
    };
    if error.chain().any(has_class) { error } else { Refusal::new(format!("{error:#}")).into() }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refusal {}

/// A server was unreachable, busy or silent, and may answer the same request later. Exit code 75, and never a
/// refusal.
#[derive(Debug)]
pub struct Transient {
    message: String,
    is_timeout: bool,
}

impl Transient {
    /// `message` says what was requested and how it failed.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), is_timeout: false }
    }

    /// As [`Transient::new`], where the whole timeout passed without an answer.
    #[must_use]
    pub fn timeout(message: impl Into<String>) -> Self {
        Self { message: message.into(), is_timeout: true }
    }

    /// Whether the timeout passed without an answer.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        self.is_timeout
    }
}

impl fmt::Display for Transient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Transient {}

/// Whether the same command may succeed later although nothing was fixed.
#[must_use]
pub fn is_transient(error: &anyhow::Error) -> bool {
    exit_code(error) == ExitCode::TryAgain as u8
}

/// Something cannot be read anonymously, and this run has no login. This error has no exit code of its own: the
/// caller decides.
#[derive(Debug)]
pub struct NotPublic(String);

impl NotPublic {
    /// `what` names the thing that cannot be read.
    #[must_use]
    pub fn new(what: impl Into<String>) -> Self {
        Self(what.into())
    }
}

impl fmt::Display for NotPublic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is not there, or cannot be read anonymously", self.0)
    }
}

impl std::error::Error for NotPublic {}

/// The arguments are invalid. Exit code 2.
#[derive(Debug)]
pub struct Misuse(String);

impl Misuse {
    /// `message` names the argument, says what is wrong with it and gives a valid one.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl fmt::Display for Misuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Misuse {}

/// Claims that do not hold. Exit code 1 when one is false, 4 when one could not be checked (`verify` only).
#[derive(Debug)]
pub struct Verdicts {
    code: ExitCode,
    message: String,
}

impl Verdicts {
    /// `message` counts the claims.
    #[must_use]
    pub fn new(code: ExitCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

impl fmt::Display for Verdicts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Verdicts {}

/// Returns early with a [`Refusal`].
#[macro_export]
macro_rules! refuse {
    ($($message:tt)*) => {
        return Err($crate::process::failure::Refusal::new(format!($($message)*)).into())
    };
}

/// The exit code for `error`. The error types in its chain decide, never its wording.
#[must_use]
pub fn exit_code(error: &anyhow::Error) -> u8 {
    if let Some(interrupted) = error.chain().find_map(|cause| cause.downcast_ref::<Interrupted>()) {
        return interrupted.exit_code();
    }
    if let Some(verdicts) = error.chain().find_map(|cause| cause.downcast_ref::<Verdicts>()) {
        return verdicts.code as u8;
    }
    if error.chain().any(<dyn std::error::Error>::is::<Misuse>) {
        return ExitCode::Usage as u8;
    }
    if error.chain().any(<dyn std::error::Error>::is::<Refusal>) {
        return ExitCode::Refused as u8;
    }
    if error.chain().any(<dyn std::error::Error>::is::<Transient>) {
        return ExitCode::TryAgain as u8;
    }
    ExitCode::Failed as u8
}

#[cfg(test)]
mod tests {
    use super::{Misuse, Refusal, Transient, exit_code, is_transient, refused};
    use anyhow::{Context as _, anyhow};

    #[test]
    fn the_class_survives_added_context() {
        let kept = Err::<(), _>(Refusal::new("no")).context("releasing").unwrap_err();
        assert_eq!(exit_code(&kept), 3);
        let misused = Err::<(), _>(Misuse::new("no")).context("releasing").unwrap_err();
        assert_eq!(exit_code(&misused), 2);
        assert_eq!(exit_code(&anyhow!("refused")), 1);
        assert_eq!(exit_code(&refused(anyhow!("nothing was changed yet"))), 3);
        assert_eq!(exit_code(&refused(Misuse::new("no").into())), 2);
    }

    #[test]
    fn a_transient_error_has_its_own_exit_code_and_never_becomes_a_refusal() {
        let away = || anyhow!(Transient::new("`GET /v2/` answered 503")).context("looking");
        assert_eq!(exit_code(&away()), 75);
        assert_eq!(exit_code(&refused(away())), 75);
        assert!(is_transient(&refused(away())) && !is_transient(&anyhow!("no")));
    }
}

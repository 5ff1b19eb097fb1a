//! What an error of `verify` means: something could not be checked. It never means that a claim is false.

use anyhow::Error;

use crate::process::failure::{ExitCode, Misuse, Verdicts};
use crate::process::interrupt::Interrupted;
use crate::process::shown::one_line;
use crate::verify::in_words;

/// `error` with its class. A verdict, a misuse or a signal keeps its class. Any other error, including a rule that
/// would forbid a release, means that something was left unchecked (exit code 4). It is then put on one line: it may
/// repeat what a registry, a forge or a commit says, and a line break in that could forge a line of the report.
#[must_use]
pub fn of_error(error: Error) -> Error {
    let has_class = |cause: &(dyn std::error::Error + 'static)| {
        cause.is::<Verdicts>() || cause.is::<Misuse>() || cause.is::<Interrupted>()
    };
    if error.chain().any(has_class) {
        return error;
    }
    Verdicts::new(ExitCode::Unchecked, one_line(&in_words(&error))).into()
}

#[cfg(test)]
mod tests {
    use super::of_error;
    use crate::process::failure::{ExitCode, Misuse, Refusal, Transient, Verdicts, exit_code};
    use anyhow::{Error, anyhow};

    #[test]
    fn only_a_verdict_says_that_a_claim_is_false() {
        let errors: [(Error, u8); 5] = [
            (anyhow!("the disk is full"), 4),
            (Refusal::new("there is no such tag").into(), 4),
            (Transient::new("answered 503").into(), 4),
            (Misuse::new("no tag").into(), 2),
            (Verdicts::new(ExitCode::Failed, "1 of 20 claims are false").into(), 1),
        ];
        for (error, code) in errors {
            assert_eq!(exit_code(&of_error(error.context("verifying"))), code);
        }
    }

    #[test]
    fn foreign_text_in_an_error_cannot_forge_a_line_of_the_report() {
        let error = of_error(anyhow!("reading the label `x\nok     signature`").context("looking\nFALSE"));
        assert_eq!(error.to_string(), r"looking\nFALSE: reading the label `x\nok     signature`");
    }
}

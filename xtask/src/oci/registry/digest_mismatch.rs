//! The error for a digest mismatch in an answer.

use std::fmt;

use crate::http::Response;
use crate::oci::reference::Digest;

/// A registry's answer does not match the digest that it was requested by or that it names. This is not a transient
/// fault: the registry serves wrong bytes.
#[derive(Debug)]
pub struct DigestMismatch {
    answer: String,
    found: Digest,
}

impl DigestMismatch {
    /// Checks the body of `response` against the digest `expected`.
    pub(super) fn check(response: &Response, expected: &Digest) -> Result<(), Self> {
        Self::check_bytes(&response.to_string(), &response.body, expected)
    }

    /// Checks `bytes` against the digest `expected`. `answer` names their source in the message.
    ///
    /// # Errors
    /// When they do not match.
    pub fn check_bytes(answer: &str, bytes: &[u8], expected: &Digest) -> Result<(), Self> {
        Self::check_digest(answer, Digest::of(bytes), expected)
    }

    /// Checks the digest `found` against `expected`. `answer` names the source of the bytes in the message.
    ///
    /// # Errors
    /// When they do not match.
    pub fn check_digest(answer: &str, found: Digest, expected: &Digest) -> Result<(), Self> {
        if &found == expected { Ok(()) } else { Err(Self { answer: answer.to_owned(), found }) }
    }
}

impl fmt::Display for DigestMismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} with other bytes: their digest is `{}`", self.answer, self.found)
    }
}

impl std::error::Error for DigestMismatch {}

#[cfg(test)]
mod tests {
    use super::DigestMismatch;
    use crate::http::Response;
    use crate::oci::reference::Digest;
    use anyhow::Context as _;

    #[test]
    fn a_digest_mismatch_is_recognized_by_its_type_under_any_context() {
        let answer = Response::of(200, &[], b"these");
        assert!(DigestMismatch::check(&answer, &Digest::of(b"these")).is_ok());
        let error = DigestMismatch::check(&answer, &Digest::of(b"those")).context("asking").unwrap_err();
        assert!(error.chain().any(<dyn std::error::Error>::is::<DigestMismatch>));
        let expected = format!("with other bytes: their digest is `{}`", Digest::of(b"these"));
        assert!(format!("{error:#}").ends_with(&expected), "{error:#}");
    }
}
